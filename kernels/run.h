#pragma once

#include <cstdlib>
#include <memory>

#include "burin/kernels/base/host_memory.h"
#include "burin/kernels/dispatch.h"

namespace burin {

/// Runs `op` on the CPU with scratch memory from malloc: the way in for those who use kernels
/// without tensors. (Tensors go through tensor/launch.h, whose scratch memory is cached.) Throws
/// Error if no implementation accepts.
template <class Op>
void run(const Op& op, Stream& stream) {
  const Context context{stream};
  const Implementation<Op>& implementation = choose(op, context);
  const size_t bytes = (implementation.workspace_bytes(op, context) + 63) / 64 * 64;
  const std::unique_ptr<void, void (*)(void*)> scratch(
      bytes > 0 ? allocate_host_memory(bytes) : nullptr, std::free);
  implementation.run(op, {scratch.get(), bytes}, stream);
}

}  // namespace burin
