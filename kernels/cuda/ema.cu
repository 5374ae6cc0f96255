// Moving averages of all tensors at once, handwritten. `--impl ema_step=cuda/<name>` runs one.
//   naive   one launch per tensor, one thread per element
//   multi   one launch for up to 256 tensors, as in adam.cu
#include "burin/kernels/ema.h"

#include <span>
#include <vector>

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/parameter_table.h"

namespace burin::cuda {
namespace {

using Slot = EmaStep::Slot;

/// One tensor as the kernel sees it.
struct Average {
  float* average;
  const float* value;
  int64_t count;
};

__device__ void average_element(const Average& a, float decay, int64_t i) {
  a.average[i] = decay * a.average[i] + (1 - decay) * a.value[i];
}

__global__ void ema_naive(Average average, const float* decay) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < average.count) average_element(average, decay[0], i);
}

/// Variant `multi`: a block owns one chunk of one tensor and finds out which by its number.
__global__ void ema_multi(const __grid_constant__ ParameterTable<Average> table,
                          const float* decay) {
  const int slot = table.slot_of(blockIdx.x);
  const Average& average = table.slots[slot];
  const int64_t begin = int64_t(blockIdx.x - table.first_block[slot]) * chunk_elements;
  const int64_t end =
      begin + chunk_elements < average.count ? begin + chunk_elements : average.count;
  for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    average_element(average, decay[0], i);
  }
}

Average average_of(const Slot& slot) {
  return {slot.average.as<float>(), slot.value.as<float>(), slot.average.numel()};
}

Refusal accepts(const EmaStep& op, const Context& /*context*/) {
  for (const Slot& slot : op.slots) {
    if (!same_dense_order(slot.average, slot.value)) {
      return str("an average ", slot.average.shape, " and its value are not dense in one order");
    }
  }
  return {};
}

void run_naive(const EmaStep& op, Workspace /*workspace*/, Stream& stream) {
  for (const Slot& slot : op.slots) {
    if (slot.average.numel() == 0) continue;
    launch(ema_naive, {blocks_for(slot.average.numel(), 256), 256, 0, stream}, average_of(slot),
           op.decay.as<float>());
  }
}

void run_multi(const EmaStep& op, Workspace /*workspace*/, Stream& stream) {
  // for_each_table asks a slot for its `parameter`.
  struct Entry {
    View parameter;
    ConstView value;
  };
  std::vector<Entry> entries;
  for (const Slot& slot : op.slots) entries.push_back({slot.average, slot.value});
  for_each_table<Average>(
      std::span<const Entry>(entries),
      [](const Entry& entry) {
        return average_of({entry.parameter, entry.value});
      },
      [&](const ParameterTable<Average>& table, int blocks) {
        launch(ema_multi, {static_cast<unsigned>(blocks), chunk_threads, 0, stream}, table,
               op.decay.as<float>());
      });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_ema(Registry& registry) {
  using namespace cuda;
  add<EmaStep>(registry, {.name = "cuda/multi", .accepts = accepts, .run = run_multi});
  add<EmaStep>(registry,
               {.name = "cuda/naive", .place = place::plain, .accepts = accepts, .run = run_naive});
}

}  // namespace burin
