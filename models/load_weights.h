#pragma once

#include <string>
#include <vector>

#include "burin/models/model.h"
#include "burin/nn/state_dict.h"
#include "burin/tensor/files/weight_file.h"

namespace burin::models {

/// What became of a file of weights.
struct WeightsReport {
  nn::LoadReport entries;
  bool head_replaced = false;      // the file's classifier has another number of classes
  std::vector<std::string> notes;  // in words for the user: wrappers taken off, names translated, …
};

/// Loads published or saved weights (.pth, .pt, .th, .safetensors) into a model: finds the state
/// dict in a checkpoint, strips prefixes, translates GluonCV's names, converts dtypes. A classifier
/// of another size is left as the model has it, and noted. Throws Error if the file can't be read,
/// or if not one entry fits.
WeightsReport load_weights(Model& model, const std::string& path);
WeightsReport load_weights(Model& model, const WeightFile& file);

}  // namespace burin::models
