#pragma once

// The one door to oneDNN: everything of it that the family uses comes through here.
// Written against 2.x. Its 3.x has no operation descriptors; kernels/CMakeLists.txt leaves the
// family out there, and why_unavailable() refuses a library that is not the one it was built with.

#include <oneapi/dnnl/dnnl.hpp>
#include <utility>

#include "burin/kernels/base/dtype.h"
#include "burin/kernels/op.h"

namespace burin::onednn {

/// Null, or why this process cannot use the family.
const char* why_unavailable();

/// Empty, or why oneDNN does not compute in `dtype` on this CPU.
Refusal refuse_dtype(DType dtype);

dnnl::memory::data_type data_type(DType dtype);

/// Runs body; oneDNN's exceptions become burin::Error. `op` begins the message.
template <class Body>
void translate_errors(std::string_view op, const Body& body) {
  try {
    body();
  } catch (const dnnl::error& error) {
    fail(op, ": oneDNN: ", error.what());
  }
}

/// What oneDNN needs to run anything, one a stream.
struct Handle {
  static constexpr std::string_view name = "onednn handle";
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

/// The memory of a view as oneDNN sees it; strides as they are. Dense images are given by their
/// format, because extents of 1 may carry any stride.
dnnl::memory::desc descriptor(const ConstView& view);

/// Memory that belongs to someone else, under a descriptor.
inline dnnl::memory wrap(const Handle& handle, const dnnl::memory::desc& desc, const void* data) {
  return {desc, handle.engine, const_cast<void*>(data)};
}

/// Memory under a descriptor, taken from the workspace; what it takes of it.
inline dnnl::memory take(const Handle& handle, const dnnl::memory::desc& desc,
                         Workspace& workspace) {
  return wrap(handle, desc, workspace.take<std::byte>(desc.get_size()));
}
inline size_t room_for(const dnnl::memory::desc& desc) {
  return Workspace::room_for<std::byte>(desc.get_size());
}

/// Scratch memory is ours (the caller's Workspace), so that it is counted and reused.
inline dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

/// oneDNN's plain reference loops are slower than ours: a plan made of them is refused.
Refusal refuse_reference(const char* implementation_info);

}  // namespace burin::onednn
