#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "burin/models/model.h"

namespace burin::models {

/// One architecture that can be made by name.
struct CatalogEntry {
  std::string name;         // "resnet18"
  std::string description;  // one line
  int64_t input_size;       // what it was made for
  std::unique_ptr<Model> (*make)(int64_t classes, Generator& generator);
};

const std::vector<CatalogEntry>& catalog();

/// The names of all of them.
std::vector<std::string> model_names();

/// The entry of that name, or null.
const CatalogEntry* find_model(std::string_view name);

/// Makes a model by name with fresh weights drawn from `generator`, on its device, in training
/// mode. Throws Error naming all models for an unknown name.
std::unique_ptr<Model> make_model(const std::string& name, int64_t classes, Generator& generator);

}  // namespace burin::models
