#pragma once

#include <memory>
#include <string>
#include <vector>

#include "burin/models/model.h"

namespace burin::apps {

/// A model with everything that is needed to use it.
struct ModelCard {
  std::unique_ptr<models::Model> model;
  std::vector<std::string> classes;
  std::vector<std::string> notes;  // what the file had that was unusual, in words
};

/// Writes weights as safetensors, atomically, with architecture, classes and preprocessing in the
/// header's
/// __metadata__ (keys burin.*). Further pairs, such as the accuracy, go in too.
void save_model(const std::string& path, models::Model& model,
                const std::vector<std::string>& classes,
                const std::vector<std::pair<std::string, std::string>>& further = {});

/// What a bare file of weights does not say of itself.
struct ModelOverrides {
  std::string architecture;          // --model
  std::vector<std::string> classes;  // --classes
};

/// Opens a model that save_model wrote, or any file of weights with the overrides' help. In
/// evaluation mode, on the CPU. Throws Error with a hint where something is missing.
ModelCard load_model(const std::string& path, const ModelOverrides& overrides = {});

}  // namespace burin::apps
