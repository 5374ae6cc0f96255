#include "burin/kernels/cpu/support/kept_filters.h"

#include <algorithm>

#include "burin/kernels/base/host_memory.h"

namespace burin::cpu {

const float* KeptFilters::find(const ConstView& w, std::string_view form) const {
  for (const Entry& entry : entries_) {
    if (entry.storage == w.key.storage && entry.data == w.data && entry.form == form &&
        entry.version == w.key.version) {
      return entry.kept.get();
    }
  }
  return nullptr;
}

float* KeptFilters::keep(const ConstView& w, std::string_view form, size_t floats) {
  if (!w.key) return nullptr;
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.storage == w.key.storage && entry.data == w.data && entry.form == form;
  });
  if (found == entries_.end()) {
    if (entries_.size() >= most) entries_.pop_back();
    entries_.push_front({w.key.storage, w.data, form, w.key.version, nullptr});
    return nullptr;
  }
  if (found->version != w.key.version) {
    found->version = w.key.version;
    found->kept.reset();
    return nullptr;
  }
  found->kept.reset(static_cast<float*>(allocate_host_memory(floats * sizeof(float))));
  return found->kept.get();
}

}  // namespace burin::cpu
