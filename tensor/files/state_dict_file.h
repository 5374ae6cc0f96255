#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "burin/tensor/files/weight_entry.h"

namespace burin {

/// The state dict in a weight file: names as the model has them.
struct StateDict {
  struct Item {
    std::string name;
    const WeightEntry* entry;  // belongs to the file
  };
  std::vector<Item> items;         // in the file's order
  std::vector<std::string> notes;  // what was done to get there, in words for the user
};

/// Finds the state dict among the tensors of a file, and takes wrappers off.
///
/// A checkpoint keeps it beside other things: of `state_dict_ema`, `model_ema`, `state_dict`,
/// `model_state_dict`, `model_state`, `model`, `net`, `params` the first that is there is taken
/// (the averaged weights before the others, as timm does), else the tensors at the top, else the
/// only group there is. `group` names another one. The prefixes `module.` (DataParallel) and
/// `_orig_mod.` (torch.compile) are stripped where all names have them. Throws Error, which lists
/// the groups, where none or several could be meant.
StateDict find_state_dict(std::span<const WeightEntry> entries, std::string_view group = "");

}  // namespace burin
