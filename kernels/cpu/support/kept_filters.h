#pragma once

#include <cstdlib>
#include <list>
#include <memory>

#include "burin/kernels/op.h"

namespace burin::cpu {

/// Filters in an algorithm's own form, kept between calls under their content keys.
///
/// They take as much memory as the filters or more, and in training every version is used once. So
/// a version is kept from its second use on: inference has its filters ready, training holds
/// nothing.
class KeptFilters {
 public:
  static constexpr std::string_view name = "cpu kept filters";

  /// The kept copy of this version in this form, or null. `form` is a literal.
  const float* find(const ConstView& w, std::string_view form) const;

  /// Where a copy of `floats` floats shall be written and kept, or null: not worth it yet. Throws
  /// OutOfMemory.
  float* keep(const ConstView& w, std::string_view form, size_t floats);

 private:
  struct Free {
    void operator()(float* floats) const { std::free(floats); }
  };
  struct Entry {
    uint64_t storage;
    const void* data;  // parameters may share a storage
    std::string_view form;
    uint64_t version;
    std::unique_ptr<float, Free> kept;  // null at the version's first use
  };
  static constexpr size_t most = 512;

  std::list<Entry> entries_;  // the newest first
};

}  // namespace burin::cpu
