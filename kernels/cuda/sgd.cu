// SGD with momentum over all parameters at once, handwritten. `--impl sgd=cuda/<name>` runs one.
//   naive   one launch per parameter, one thread per element
//   multi   one launch for up to 256 parameters, as in adam.cu
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

/// One parameter as the kernel sees it.
struct Parameter {
  float* parameter;
  const float* gradient;
  float* momentum_buffer;  // or null
  Copy16 copy;
  int64_t count;
};

__device__ void step_element(const Parameter& p, const Options& options, int64_t i) {
  const float* const s = options.scalars;
  const float value = p.parameter[i];
  const float g = s[scalar_gradient_scale] * p.gradient[i] + options.weight_decay * value;
  float direction = g;
  if (p.momentum_buffer != nullptr) {
    const float momentum = s[scalar_momentum];
    // A fresh buffer may hold anything, NaN too: 0 · NaN would stay.
    const bool fresh = s[scalar_step] == 0 || momentum == 0;
    const float b = fresh ? g : momentum * p.momentum_buffer[i] + g;
    p.momentum_buffer[i] = b;
    direction = options.nesterov ? g + momentum * b : b;
  }
  const float updated = value - s[scalar_learning_rate] * direction;
  p.parameter[i] = updated;
  p.copy.write(i, updated);
}

__global__ void sgd_naive(Parameter parameter, Options options) {
  if (options.scalars[scalar_found_inf] != 0) return;
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < parameter.count) step_element(parameter, options, i);
}

/// Variant `multi`: a block owns one chunk of one parameter and finds out which by its number.
__global__ void sgd_multi(const __grid_constant__ ParameterTable<Parameter> table,
                          Options options) {
  if (options.scalars[scalar_found_inf] != 0) return;
  const int slot = table.slot_of(blockIdx.x);
  const Parameter& parameter = table.slots[slot];
  const int64_t begin = int64_t(blockIdx.x - table.first_block[slot]) * chunk_elements;
  const int64_t end =
      begin + chunk_elements < parameter.count ? begin + chunk_elements : parameter.count;
  for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    step_element(parameter, options, i);
  }
}

Parameter parameter_of(const Slot& slot) {
  return {slot.parameter.as<float>(), slot.gradient.as<float>(), slot.momentum_buffer.as<float>(),
          Copy16::of(slot.parameter_16), slot.parameter.numel()};
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
