#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "burin/kernels/base/stream.h"
#include "burin/kernels/base/view.h"

namespace burin {

/// An op is a struct of its arguments (`Conv2dForward` in conv2d.h) with a `name`. An
/// implementation is a handful of functions over that struct. This file is the whole protocol
/// between the two.

/// Scratch memory for one call, aligned to 64 bytes, content undefined. Owned by the caller.
struct Workspace {
  void* data = nullptr;
  size_t bytes = 0;

  /// Cuts `count` elements of T from the front, rounded up to 64 bytes.
  template <class T>
  T* take(size_t count) {
    T* const taken = static_cast<T*>(data);
    const size_t size = (count * sizeof(T) + 63) / 64 * 64;
    check(size <= bytes, "workspace: ", size, " bytes wanted, ", bytes, " left");
    data = static_cast<std::byte*>(data) + size;
    bytes -= size;
    return taken;
  }
  /// Bytes that take<T>(count) uses up.
  template <class T>
  static size_t room_for(size_t count) {
    return (count * sizeof(T) + 63) / 64 * 64;
  }
};

/// Empty, or the reason an implementation does not take the problem, in words.
using Refusal = std::string;

/// What an implementation may depend on besides the op itself.
struct Context {
  Stream& stream;
};

/// Places in the ordered list of an op, fastest first as measured in bench/kernels. Implementations
/// with the same place keep the order in which their families were loaded.
namespace place {
inline constexpr int before_vendor = 10;  // measured faster than the vendor's
inline constexpr int vendor = 20;
inline constexpr int handwritten = 30;
inline constexpr int plain = 90;  // the readable twin of the definition
}  // namespace place

template <class Op>
struct Implementation {
  std::string_view name;  // "family/algorithm", or "family" where it has only one
  int place = place::handwritten;
  Refusal (*accepts)(const Op&, const Context&) = [](const Op&, const Context&) {
    return Refusal();
  };
  /// Whether its place in the list holds for this problem. One that accepts but does not prefer
  /// (a fast algorithm at a size where it loses) is tried after those that do, before the plain.
  bool (*prefers)(const Op&, const Context&) = [](const Op&, const Context&) { return true; };
  size_t (*workspace_bytes)(const Op&, const Context&) = [](const Op&, const Context&) {
    return size_t{0};
  };
  void (*run)(const Op&, Workspace, Stream&) = nullptr;
  /// What speaks against it, shown beside its name. With one it runs only when named.
  std::string_view caveat = {};
};

}  // namespace burin
