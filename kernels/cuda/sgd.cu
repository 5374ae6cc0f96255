// SGD with momentum over all parameters at once, handwritten. `--impl sgd=cuda/<name>` runs one.
//   naive   one launch per parameter, one thread per element
//   multi   one launch for up to 256 parameters, 16 bytes of each operand a thread, as in adam.cu
#include "burin/kernels/sgd.h"

#include <span>

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/parameter_table.h"

namespace burin::cuda {
namespace {

using Slot = SgdStep::Slot;

struct Options {
  const float* scalars;
  float weight_decay;
  bool nesterov;
};

/// The step's scalars, read once.
struct Constants {
  float gradient_scale, weight_decay, momentum, learning_rate;
  bool fresh;  // a buffer may hold anything, NaN too: 0 · NaN would stay
  bool nesterov;
};

__device__ Constants constants_of(const Options& options) {
  const float* const s = options.scalars;
  const float momentum = s[scalar_momentum];
  return {s[scalar_gradient_scale],
          options.weight_decay,
          momentum,
          s[scalar_learning_rate],
          s[scalar_step] == 0 || momentum == 0,
          options.nesterov};
}

/// One parameter as the kernel sees it.
struct Parameter {
  float* parameter;
  const float* gradient;
  float* momentum_buffer;  // or null
  Copy16 copy;
  int64_t count;
  bool packets;  // all begin at 16 bytes
};

struct Element {
  float value, b;
};

__device__ Element step(Element e, float gradient, bool has_buffer, const Constants& k) {
  float g = k.gradient_scale * gradient;
  if (k.weight_decay != 0) g += k.weight_decay * e.value;  // 0 · ∞ would be NaN
  float direction = g;
  if (has_buffer) {
    e.b = k.fresh ? g : k.momentum * e.b + g;
    direction = k.nesterov ? g + k.momentum * e.b : e.b;
  }
  e.value -= k.learning_rate * direction;
  return e;
}

__device__ void step_element(const Parameter& p, const Constants& k, int64_t i) {
  const bool has_buffer = p.momentum_buffer != nullptr;
  const float b = has_buffer ? p.momentum_buffer[i] : 0.0f;
  const Element e = step({p.parameter[i], b}, p.gradient[i], has_buffer, k);
  if (has_buffer) p.momentum_buffer[i] = e.b;
  p.parameter[i] = e.value;
  p.copy.write(i, e.value);
}

__device__ void step_packet(const Parameter& p, const Constants& k, int64_t i) {
  using Floats = Packet<float>;
  const bool has_buffer = p.momentum_buffer != nullptr;
  Floats value = *reinterpret_cast<const Floats*>(p.parameter + i), b{};
  const Floats gradient = *reinterpret_cast<const Floats*>(p.gradient + i);
  if (has_buffer) b = *reinterpret_cast<const Floats*>(p.momentum_buffer + i);
  for (int e = 0; e < Floats::size; ++e) {
    const Element after = step({value.at[e], b.at[e]}, gradient.at[e], has_buffer, k);
    value.at[e] = after.value;
    b.at[e] = after.b;
  }
  if (has_buffer) *reinterpret_cast<Floats*>(p.momentum_buffer + i) = b;
  *reinterpret_cast<Floats*>(p.parameter + i) = value;
  p.copy.write(i, value);
}

__global__ void sgd_naive(Parameter parameter, Options options) {
  if (options.scalars[scalar_found_inf] != 0) return;
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < parameter.count) step_element(parameter, constants_of(options), i);
}

/// Variant `multi`: a block owns one chunk of one parameter and finds out which by its number.
__global__ void sgd_multi(const __grid_constant__ ParameterTable<Parameter> table,
                          Options options) {
  if (options.scalars[scalar_found_inf] != 0) return;
  const Constants constants = constants_of(options);
  step_chunk(
      table, [&](const Parameter& p, int64_t i) { step_element(p, constants, i); },
      [&](const Parameter& p, int64_t i) { step_packet(p, constants, i); });
}

Parameter parameter_of(const Slot& slot) {
  const bool packets = is_aligned(slot.parameter) && is_aligned(slot.gradient) &&
                       is_aligned(slot.momentum_buffer) && is_aligned(slot.parameter_16);
  return {slot.parameter.as<float>(),       slot.gradient.as<float>(),
          slot.momentum_buffer.as<float>(), Copy16::of(slot.parameter_16),
          slot.parameter.numel(),           packets};
}

Refusal accepts(const SgdStep& op, const Context& /*context*/) {
  for (const Slot& slot : op.slots) {
    const auto fits = [&](const auto& other) {
      return !other || same_dense_order(slot.parameter, other);
    };
    if (!same_dense_order(slot.parameter, slot.gradient) || !fits(slot.momentum_buffer) ||
        !fits(slot.parameter_16)) {
      return str("a parameter ", slot.parameter.shape,
                 " and what belongs to it are not dense in one order");
    }
    if (op.nesterov && !slot.momentum_buffer) return "nesterov needs momentum buffers";
  }
  return {};
}

Options options_of(const SgdStep& op) {
  return {op.scalars.as<float>(), op.weight_decay, op.nesterov};
}

void run_naive(const SgdStep& op, Workspace /*workspace*/, Stream& stream) {
  for (const Slot& slot : op.slots) {
    launch(sgd_naive, {blocks_for(slot.parameter.numel(), 256), 256, 0, stream}, parameter_of(slot),
           options_of(op));
  }
  launch(count_step, {1, 1, 0, stream}, op.scalars.as<float>());
}

void run_multi(const SgdStep& op, Workspace /*workspace*/, Stream& stream) {
  for_each_table<Parameter>(std::span<const Slot>(op.slots), parameter_of,
                            [&](const ParameterTable<Parameter>& table, int blocks) {
                              launch(sgd_multi,
                                     {static_cast<unsigned>(blocks), chunk_threads, 0, stream},
                                     table, options_of(op));
                            });
  launch(count_step, {1, 1, 0, stream}, op.scalars.as<float>());
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_sgd(Registry& registry) {
  cuda::add<SgdStep>(registry,
                     {.name = "cuda/multi", .accepts = cuda::accepts, .run = cuda::run_multi});
  cuda::add<SgdStep>(registry, {.name = "cuda/naive",
                                .place = place::plain,
                                .accepts = cuda::accepts,
                                .run = cuda::run_naive});
}

}  // namespace burin
