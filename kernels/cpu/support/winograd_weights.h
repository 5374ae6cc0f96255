#pragma once

#include <list>
#include <memory>

#include "burin/kernels/op.h"

namespace burin::cpu {

/// Transformed filters kept between calls, under their content keys.
///
/// They take four times the memory of the filters, and in training every version is used once. So a
/// version is kept from its second use on: inference has its filters ready, training holds nothing.
class WinogradWeights {
 public:
  static constexpr std::string_view name = "cpu winograd weights";

  /// The kept copy of this version in this direction, or null.
  const float* find(const ConstView& w, std::string_view direction) const;

  /// Where a copy of `floats` floats shall be written and kept, or null: not worth it yet.
  float* keep(const ConstView& w, std::string_view direction, size_t floats);

 private:
  struct Entry {
    uint64_t storage;
    const void* data;  // parameters may share a storage
    std::string_view direction;
    uint64_t version;
    std::unique_ptr<float[]> kept;  // null at the version's first use
  };
  static constexpr size_t most = 512;

  std::list<Entry> entries_;  // the newest first
};

}  // namespace burin::cpu
