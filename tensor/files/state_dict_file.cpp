#include "burin/tensor/files/state_dict_file.h"

#include <algorithm>
#include <unordered_set>

namespace burin {
namespace {

constexpr std::string_view usual_keys[] = {
    "state_dict_ema", "model_ema", "state_dict", "model_state_dict",
    "model_state",    "model",     "net",        "params"};
constexpr std::string_view wrapper_prefixes[] = {"module.", "_orig_mod."};
constexpr std::string_view averaging_counter = "n_averaged";  // beside module.* in AveragedModel

std::vector<std::string_view> distinct_groups(std::span<const WeightEntry> entries) {
  std::vector<std::string_view> groups;
  std::unordered_set<std::string_view> seen;
  for (const WeightEntry& entry : entries) {
    if (seen.insert(entry.group).second) groups.push_back(entry.group);
  }
  return groups;
}

std::string listed(const std::vector<std::string_view>& groups) {
  constexpr size_t most = 10;
  std::string text;
  for (size_t i = 0; i < std::min(groups.size(), most); ++i) {
    text += str(i > 0 ? ", " : "", "'", groups[i], "'");
  }
  return text + (groups.size() > most ? ", …" : "");
}

std::string_view last_key(std::string_view group) {
  return group.substr(group.rfind('/') + 1);  // npos + 1 is 0: the whole
}

std::string_view choose_group(const std::vector<std::string_view>& groups,
                              std::string_view asked_for) {
  const auto is_there = [&](std::string_view group) {
    return std::find(groups.begin(), groups.end(), group) != groups.end();
  };
  if (!asked_for.empty()) {
    check(is_there(asked_for), "checkpoint: no tensors under '", asked_for, "'; there are ",
          listed(groups));
    return asked_for;
  }
  for (const std::string_view key : usual_keys) {
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](std::string_view group) { return last_key(group) == key; });
    if (found != groups.end()) return *found;
  }
  if (is_there("")) return "";
  check(!groups.empty(), "checkpoint: there are no tensors in it");
  check(groups.size() == 1, "checkpoint: no state dict under a usual name; there are ",
        listed(groups), ": name one of them");
  return groups.front();
}

void strip(StateDict& dict, std::string_view prefix) {
  const bool all = std::all_of(dict.items.begin(), dict.items.end(), [&](const auto& item) {
    return item.name.starts_with(prefix) || item.name == averaging_counter;
  });
  size_t stripped = 0;
  for (StateDict::Item& item : dict.items) {
    if (!all || !item.name.starts_with(prefix)) continue;
    item.name.erase(0, prefix.size());
    ++stripped;
  }
  if (stripped == 0) return;
  // The counter belongs to the wrapper, not to the model.
  std::erase_if(dict.items, [](const auto& item) { return item.name == averaging_counter; });
  dict.notes.push_back(str("stripped '", prefix, "' from ", stripped, " names"));
}

}  // namespace

StateDict find_state_dict(std::span<const WeightEntry> entries, std::string_view group) {
  const std::vector<std::string_view> groups = distinct_groups(entries);
  const std::string_view chosen = choose_group(groups, group);
  StateDict dict;
  for (const WeightEntry& entry : entries) {
    if (entry.group == chosen) dict.items.push_back({entry.name, &entry});
  }
  if (!chosen.empty()) dict.notes.push_back(str("took '", chosen, "' of the checkpoint"));
  size_t before = 0;
  do {  // one inside the other, in whatever order
    before = dict.notes.size();
    for (const std::string_view prefix : wrapper_prefixes) strip(dict, prefix);
  } while (dict.notes.size() > before);
  return dict;
}

}  // namespace burin
