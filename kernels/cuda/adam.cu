// Adam and AdamW over all parameters at once, handwritten. `--impl adam=cuda/<name>` runs one.
//   naive   one launch per parameter, one thread per element: a network's many small ones cost most
//   multi   one launch for up to 256 parameters, 16 bytes of each operand a thread: a table of
//           parameters travels as the kernel's argument
// Both end with a launch of one thread that counts the step, when every block has read it.
#include "burin/kernels/adam.h"

#include <span>

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/parameter_table.h"

namespace burin::cuda {
namespace {

using Slot = AdamStep::Slot;

struct Options {
  const float* scalars;
  float beta2;
  float epsilon;
  float weight_decay;
  bool decoupled;
};

/// What the step's scalars come to. In double: 1 − beta2 cancels in f32 where beta2 is near 1.
struct Constants {
  float gradient_scale, decay_into_gradient, keep, beta1, step_size, inverse_correction2;
};

/// base^exponent, which is a whole number: some twenty products, where pow() takes ten times that
/// while a block waits for it. The error grows with the exponent, as the true power's does with the
/// base's own.
__device__ double power(double base, float exponent) {
  double result = 1;
  for (unsigned left = static_cast<unsigned>(exponent); left != 0; left /= 2) {
    if (left % 2 != 0) result *= base;
    base *= base;
  }
  return result;
}

__device__ Constants constants_of(const Options& options) {
  const float* const s = options.scalars;
  const double learning_rate = s[scalar_learning_rate];
  const double beta1 = s[scalar_momentum];
  const float t = s[scalar_step] + 1;
  const double correction1 = 1 - power(beta1, t);
  const double correction2 = 1 - power(static_cast<double>(options.beta2), t);
  const double kept = 1 - learning_rate * static_cast<double>(options.weight_decay);
  return {s[scalar_gradient_scale],
          options.decoupled ? 0.0f : options.weight_decay,
          options.decoupled ? static_cast<float>(kept) : 1.0f,
          s[scalar_momentum],
          static_cast<float>(learning_rate / correction1),
          static_cast<float>(1 / correction2)};
}

/// One parameter as the kernel sees it.
struct Parameter {
  float* parameter;
  const float* gradient;
  float* first_moment;
  float* second_moment;
  Copy16 copy;
  int64_t count;
  bool packets;  // all begin at 16 bytes
};

struct Element {
  float value, m, v;
};

__device__ Element step(Element e, float gradient, const Options& options, const Constants& k) {
  const float g = k.gradient_scale * gradient + k.decay_into_gradient * e.value;
  e.m = k.beta1 * e.m + (1 - k.beta1) * g;
  e.v = options.beta2 * e.v + (1 - options.beta2) * g * g;
  const float size = sqrtf(e.v * k.inverse_correction2) + options.epsilon;
  e.value = k.keep * e.value - k.step_size * e.m / size;
  return e;
}

__device__ void step_element(const Parameter& p, const Options& options, const Constants& k,
                             int64_t i) {
  const Element e =
      step({p.parameter[i], p.first_moment[i], p.second_moment[i]}, p.gradient[i], options, k);
  p.first_moment[i] = e.m;
  p.second_moment[i] = e.v;
  p.parameter[i] = e.value;
  p.copy.write(i, e.value);
}

__device__ void step_packet(const Parameter& p, const Options& options, const Constants& k,
                            int64_t i) {
  using Floats = Packet<float>;
  Floats value = *reinterpret_cast<const Floats*>(p.parameter + i);
  Floats m = *reinterpret_cast<const Floats*>(p.first_moment + i);
  Floats v = *reinterpret_cast<const Floats*>(p.second_moment + i);
  const Floats gradient = *reinterpret_cast<const Floats*>(p.gradient + i);
  for (int e = 0; e < Floats::size; ++e) {
    const Element after = step({value.at[e], m.at[e], v.at[e]}, gradient.at[e], options, k);
    value.at[e] = after.value;
    m.at[e] = after.m;
    v.at[e] = after.v;
  }
  *reinterpret_cast<Floats*>(p.first_moment + i) = m;
  *reinterpret_cast<Floats*>(p.second_moment + i) = v;
  *reinterpret_cast<Floats*>(p.parameter + i) = value;
  p.copy.write(i, value);
}

__global__ void adam_naive(Parameter parameter, Options options) {
  if (options.scalars[scalar_found_inf] != 0) return;
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < parameter.count) step_element(parameter, options, constants_of(options), i);
}

/// Variant `multi`: a block owns one chunk of one parameter and finds out which by its number.
__global__ void adam_multi(const __grid_constant__ ParameterTable<Parameter> table,
                           Options options) {
  if (options.scalars[scalar_found_inf] != 0) return;
  __shared__ Constants constants;
  if (threadIdx.x == 0) {  // two powers in double, once a block
    const Constants mine = constants_of(options);
    constants = mine;
  }
  __syncthreads();

  step_chunk(
      table, [&](const Parameter& p, int64_t i) { step_element(p, options, constants, i); },
      [&](const Parameter& p, int64_t i) { step_packet(p, options, constants, i); });
}

Parameter parameter_of(const Slot& slot) {
  const bool packets = is_aligned(slot.parameter) && is_aligned(slot.gradient) &&
                       is_aligned(slot.first_moment) && is_aligned(slot.second_moment) &&
                       is_aligned(slot.parameter_16);
  return {slot.parameter.as<float>(),
          slot.gradient.as<float>(),
          slot.first_moment.as<float>(),
          slot.second_moment.as<float>(),
          Copy16::of(slot.parameter_16),
          slot.parameter.numel(),
          packets};
}

Refusal accepts(const AdamStep& op, const Context& /*context*/) {
  for (const Slot& slot : op.slots) {
    const bool flat = same_dense_order(slot.parameter, slot.gradient) &&
                      same_dense_order(slot.parameter, slot.first_moment) &&
                      same_dense_order(slot.parameter, slot.second_moment) &&
                      (!slot.parameter_16 || same_dense_order(slot.parameter, slot.parameter_16));
    if (!flat) {
      return str("a parameter ", slot.parameter.shape,
                 " and its moments are not dense in one order");
    }
  }
  return {};
}

Options options_of(const AdamStep& op) {
  return {op.scalars.as<float>(), op.beta2, op.epsilon, op.weight_decay, op.decoupled_weight_decay};
}

void run_naive(const AdamStep& op, Workspace /*workspace*/, Stream& stream) {
  for (const Slot& slot : op.slots) {
    launch(adam_naive, {blocks_for(slot.parameter.numel(), 256), 256, 0, stream},
           parameter_of(slot), options_of(op));
  }
  launch(count_step, {1, 1, 0, stream}, op.scalars.as<float>());
}

void run_multi(const AdamStep& op, Workspace /*workspace*/, Stream& stream) {
  for_each_table<Parameter>(std::span<const Slot>(op.slots), parameter_of,
                            [&](const ParameterTable<Parameter>& table, int blocks) {
                              launch(adam_multi,
                                     {static_cast<unsigned>(blocks), chunk_threads, 0, stream},
                                     table, options_of(op));
                            });
  launch(count_step, {1, 1, 0, stream}, op.scalars.as<float>());
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_adam(Registry& registry) {
  cuda::add<AdamStep>(registry,
                      {.name = "cuda/multi", .accepts = cuda::accepts, .run = cuda::run_multi});
  cuda::add<AdamStep>(registry, {.name = "cuda/naive",
                                 .place = place::plain,
                                 .accepts = cuda::accepts,
                                 .run = cuda::run_naive});
}

}  // namespace burin
