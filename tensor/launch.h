#pragma once

#include "burin/kernels/dispatch.h"
#include "burin/kernels/range.h"
#include "burin/tensor/context.h"
#include "burin/tensor/storage.h"

namespace burin {

/// Whether `op` has a result y without elements.
template <class Op>
bool makes_nothing(const Op& op) {
  if constexpr (requires { op.y.numel(); }) {
    return op.y.numel() == 0;
  } else {
    return false;
  }
}

/// Runs `op` on this thread's stream of `device`, scratch memory from the caching allocator; for
/// nothing, which most kernels do not take, does nothing. Throws Error if no implementation
/// accepts, with every candidate's reason.
template <class Op>
void launch(Device device, const Op& op) {
  if (makes_nothing(op)) return;
  const Range range(device, Op::name);
  Stream& stream = current_stream(device);
  const Context context{stream};
  const Implementation<Op>& implementation = choose(op, context);
  const size_t bytes = implementation.workspace_bytes(op, context);
  if (bytes == 0) {
    implementation.run(op, {}, stream);
    return;
  }
  const Storage scratch((bytes + 63) / 64 * 64, device);
  implementation.run(op, {scratch.data(), scratch.bytes()}, stream);
}

/// Whether the implementation that runs `op` takes `more` too, the same with something added to it.
/// Where it does not, another may, but hardly one that is as fast.
template <class Op>
bool takes_too(Device device, const Op& op, const Op& more) {
  const Context context{current_stream(device)};
  return choose(op, context).accepts(more, context).empty();
}

}  // namespace burin
