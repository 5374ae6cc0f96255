#pragma once

#include <vector>

#include "burin/tensor/files/weight_entry.h"

namespace burin::testing_support {

/// Reads a file that may be anything, and all its elements where it is sound. An Error is fine;
/// everything else is the sanitizers' and the caller's to see.
template <class ReadListing>
void read_everything(const ReadListing& read_listing, Bytes file) {
  try {
    const WeightListing listing = read_listing(file);
    std::vector<float> elements;
    for (const WeightEntry& entry : listing.entries()) {
      elements.resize(static_cast<size_t>(numel(entry.shape)));
      read_entry(entry, View::dense(elements.data(), DType::f32, entry.shape));
    }
  } catch (const Error&) {
    return;
  }
}

}  // namespace burin::testing_support
