// Adam and AdamW over all parameters at once, handwritten. `--impl adam=cuda/<name>` runs one.
//   naive   one launch per parameter, one thread per element: a network's many small ones cost most
//   multi   one launch for up to 256 parameters: a table of them travels as the kernel's argument
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

__device__ Constants constants_of(const Options& options) {
  const float* const s = options.scalars;
  const double learning_rate = s[scalar_learning_rate];
  const double beta1 = s[scalar_momentum];
  const double t = static_cast<double>(s[scalar_step]) + 1;
  const double correction1 = 1 - pow(beta1, t);
  const double correction2 = 1 - pow(static_cast<double>(options.beta2), t);
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
};

__device__ void step_element(const Parameter& p, const Options& options, const Constants& k,
                             int64_t i) {
  const float value = p.parameter[i];
  const float g = k.gradient_scale * p.gradient[i] + k.decay_into_gradient * value;
  const float m = k.beta1 * p.first_moment[i] + (1 - k.beta1) * g;
  const float v = options.beta2 * p.second_moment[i] + (1 - options.beta2) * g * g;
  const float updated =
      k.keep * value - k.step_size * m / (sqrtf(v * k.inverse_correction2) + options.epsilon);
  p.first_moment[i] = m;
  p.second_moment[i] = v;
  p.parameter[i] = updated;
  p.copy.write(i, updated);
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
  if (threadIdx.x == 0) constants = constants_of(options);  // two powers in double, once a block
  __syncthreads();

  const int slot = table.slot_of(blockIdx.x);
  const Parameter& parameter = table.slots[slot];
  const int64_t begin = int64_t(blockIdx.x - table.first_block[slot]) * chunk_elements;
  const int64_t end =
      begin + chunk_elements < parameter.count ? begin + chunk_elements : parameter.count;
  for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    step_element(parameter, options, constants, i);
  }
}

Parameter parameter_of(const Slot& slot) {
  return {slot.parameter.as<float>(),    slot.gradient.as<float>(),
          slot.first_moment.as<float>(), slot.second_moment.as<float>(),
          Copy16::of(slot.parameter_16), slot.parameter.numel()};
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
