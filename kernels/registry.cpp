#include "burin/kernels/registry.h"

#include <algorithm>

namespace burin {

void Registry::add_entry(std::string_view op, DeviceKind device, Entry entry) {
  entry.only_when_named = only_when_named_ || !entry.caveat.empty();
  std::vector<Entry>& list = entries_[{std::string(op), device}];
  for (const Entry& existing : list) {
    check(existing.name != entry.name, "registry: ", op, " has an implementation named ",
          entry.name, " already");
  }
  const auto slower = [&](const Entry& other) { return other.place > entry.place; };
  list.insert(std::find_if(list.begin(), list.end(), slower), std::move(entry));
}

void Registry::add_device(DeviceKind kind, std::shared_ptr<DeviceRuntime> runtime) {
  devices_.emplace(kind, std::move(runtime));
}

const std::vector<Registry::Entry>& Registry::entries(std::string_view op,
                                                      DeviceKind device) const {
  static const std::vector<Entry> none;
  const auto found = entries_.find(std::pair<std::string, DeviceKind>(op, device));
  return found == entries_.end() ? none : found->second;
}

std::vector<std::pair<std::string, DeviceKind>> Registry::ops() const {
  std::vector<std::pair<std::string, DeviceKind>> keys;
  for (const auto& [key, list] : entries_) keys.push_back(key);
  return keys;
}

DeviceRuntime* Registry::device(DeviceKind kind) const {
  const auto found = devices_.find(kind);
  return found == devices_.end() ? nullptr : found->second.get();
}

std::string_view family_of(std::string_view implementation) {
  return implementation.substr(0, implementation.find('/'));
}

}  // namespace burin
