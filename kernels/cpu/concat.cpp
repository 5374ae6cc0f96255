// Concatenation, handwritten: block after block of what lies together in y where all operands are
// dense in one layout, else an input after the other.
#include "burin/kernels/concat.h"

#include <algorithm>
#include <cstring>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/copy_elements.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements a thread should have before a second one helps

bool all_dense(const Concat& op, Layout layout) {
  return op.y.is_dense(layout) &&
         std::all_of(op.inputs.begin(), op.inputs.end(),
                     [&](const ConstView& input) { return input.is_dense(layout); });
}

/// Bytes of a dense view from one index before the axis to the next: what goes over in one piece.
int64_t block_bytes(const ConstView& view, int axis, Layout layout) {
  const int64_t elements = view.dim(axis) * dense_strides(view.shape, layout)[axis];
  return elements * static_cast<int64_t>(size_of(view.dtype));
}

/// Blocks of y that lie one behind the other, each made of a piece of every input.
void join_blocks(const Concat& op, Layout layout, int64_t count, int64_t y_bytes) {
  std::vector<std::pair<const std::byte*, int64_t>> inputs;
  for (const ConstView& input : op.inputs) {
    if (input.numel() == 0) continue;
    inputs.emplace_back(input.as<std::byte>(), block_bytes(input, op.axis, layout));
  }
  auto* const y = op.y.as<std::byte>();
  parallel_for(count, ceil_div(grain, y_bytes), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::byte* to = y + i * y_bytes;
      for (const auto& [from, bytes] : inputs) {
        std::memcpy(to, from + i * bytes, static_cast<size_t>(bytes));
        to += bytes;
      }
    }
  });
}

void run(const Concat& op, Workspace /*workspace*/, Stream& /*stream*/) {
  if (op.y.numel() == 0) return;
  for (const Layout layout : {Layout::nchw, Layout::nhwc}) {
    if (!all_dense(op, layout)) continue;
    const int64_t bytes = block_bytes(op.y, op.axis, layout);
    const int64_t count = op.y.numel() * static_cast<int64_t>(size_of(op.y.dtype)) / bytes;
    if (count < 2 * compute_threads()) break;  // each is a thread's
    return join_blocks(op, layout, count, bytes);
  }
  int64_t first = 0;
  for (const ConstView& input : op.inputs) {
    copy_elements(input, slice_of(op, input, first));
    first += input.dim(op.axis);
  }
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_concat(Registry& registry) {
  registry.add<Concat>(
      {.name = "cpu",
       .place = place::before_vendor,
       .accepts = [](const Concat& op, const Context& /*context*/) { return breach_of(op); },
       .run = cpu::run});
}

}  // namespace burin
