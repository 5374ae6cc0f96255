#include "burin/kernels/cpu/support/winograd_weights.h"

#include <algorithm>

namespace burin::cpu {

const float* WinogradWeights::find(const ConstView& w, std::string_view direction) const {
  for (const Entry& entry : entries_) {
    if (entry.storage == w.key.storage && entry.data == w.data && entry.direction == direction &&
        entry.version == w.key.version) {
      return entry.kept.get();
    }
  }
  return nullptr;
}

float* WinogradWeights::keep(const ConstView& w, std::string_view direction, size_t floats) {
  if (!w.key) return nullptr;
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.storage == w.key.storage && entry.data == w.data && entry.direction == direction;
  });
  if (found == entries_.end()) {
    if (entries_.size() >= most) entries_.pop_back();
    entries_.push_front({w.key.storage, w.data, direction, w.key.version, nullptr});
    return nullptr;
  }
  if (found->version != w.key.version) {
    found->version = w.key.version;
    found->kept.reset();
    return nullptr;
  }
  found->kept.reset(new float[floats]);
  return found->kept.get();
}

}  // namespace burin::cpu
