#include "burin/tensor/files/state_dict_file.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace burin {
namespace {

using Names = std::vector<std::string>;

std::vector<WeightEntry> entries_of(
    std::initializer_list<std::pair<const char*, const char*>> list) {
  std::vector<WeightEntry> entries;
  for (const auto& [group, name] : list) {
    WeightEntry entry;
    entry.group = group;
    entry.name = name;
    entries.push_back(entry);
  }
  return entries;
}

Names names_of(const StateDict& dict) {
  Names names;
  for (const StateDict::Item& item : dict.items) names.push_back(item.name);
  return names;
}

TEST(StateDict, APlainFileIsTakenAsItIs) {
  const auto entries = entries_of({{"", "conv.weight"}, {"", "module.bias"}});
  const StateDict dict = find_state_dict(entries);
  EXPECT_EQ(names_of(dict), (Names{"conv.weight", "module.bias"}));
  EXPECT_EQ(dict.items[1].entry, &entries[1]);
  EXPECT_TRUE(dict.notes.empty());
}

TEST(StateDict, UnwrapsACheckpointAndStripsPrefixes) {
  const auto entries = entries_of({{"", "loss"},
                                   {"state_dict", "module._orig_mod.module.a"},
                                   {"state_dict", "module._orig_mod.module.b"},
                                   {"optimizer/state/0", "exp_avg"}});
  const StateDict dict = find_state_dict(entries);
  EXPECT_EQ(names_of(dict), (Names{"a", "b"}));
  ASSERT_EQ(dict.notes.size(), 4u);
  EXPECT_EQ(dict.notes[0], "took 'state_dict' of the checkpoint");
  EXPECT_EQ(dict.notes[1], "stripped 'module.' from 2 names");
}

TEST(StateDict, TakesAveragedWeightsBeforeOthers) {
  const auto entries =
      entries_of({{"model", "a"}, {"model_ema", "module.a"}, {"model_ema", "n_averaged"}});
  const StateDict dict = find_state_dict(entries);
  EXPECT_EQ(names_of(dict), Names{"a"});
  EXPECT_EQ(dict.items[0].entry, &entries[1]);
  EXPECT_EQ(find_state_dict(entries, "model").items[0].entry, &entries[0]);
}

TEST(StateDict, TakesTheOnlyGroupThereIs) {
  EXPECT_EQ(names_of(find_state_dict(entries_of({{"weights/generator", "a"}}))), Names{"a"});
}

TEST(StateDict, RefusesToGuess) {
  expect_error(
      [] {
        find_state_dict(entries_of({{"encoder", "a"}, {"decoder", "a"}}));
      },
      "no state dict under a usual name; there are 'encoder', 'decoder'");
  expect_error(
      [] {
        find_state_dict(entries_of({{"encoder", "a"}}), "x");
      },
      "no tensors under 'x'; there are 'encoder'");
  expect_error([] { find_state_dict({}); }, "there are no tensors in it");
}

}  // namespace
}  // namespace burin
