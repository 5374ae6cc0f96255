#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "burin/kernels/base/device.h"

namespace burin {

/// An ordered queue of work on one device, and the owner of what implementations keep between calls
/// (vendor handles, primitives, packed weights), so that these die with it and nothing is global.
/// One thread uses a stream at a time.
class Stream {
 public:
  /// `native` is the vendor's queue (a cudaStream_t), null on the CPU. `owner`, which may own it,
  /// dies with the stream, after what state() keeps.
  explicit Stream(Device device, void* native = nullptr, std::shared_ptr<void> owner = nullptr)
      : device_(device), native_(native), owner_(std::move(owner)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Device device() const { return device_; }
  void* native() const { return native_; }

  /// The T that belongs to this stream, made by T() at first use. Found by T::name, because the
  /// address of a template's static differs between shared libraries.
  template <class T>
  T& state() {
    for (const auto& [name, held] : states_) {
      if (name == T::name) return *static_cast<T*>(held.get());
    }
    auto made = std::make_shared<T>();
    states_.emplace_back(T::name, made);
    return *made;
  }

  /// Drops everything kept by state(): plans and packed weights are made again at next use.
  void clear_states() { states_.clear(); }

 private:
  Device device_;
  void* native_;
  std::shared_ptr<void> owner_;
  std::vector<std::pair<std::string_view, std::shared_ptr<void>>> states_;
};

}  // namespace burin
