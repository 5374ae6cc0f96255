#pragma once

#include <memory>
#include <string>
#include <vector>

#include "burin/models/model.h"
#include "burin/tensor/files/weight_file.h"

namespace burin::apps {

/// A model with everything that is needed to use it.
struct ModelCard {
  std::unique_ptr<Generator> generator;  // drew the model's weights; its dropout holds on to it
  std::unique_ptr<models::Model> model;
  std::vector<std::string> classes;
  std::string aug;                 // of its training, as --aug says it; empty: unknown
  std::vector<std::string> notes;  // what the file had that was unusual, in words
};

/// Writes weights as safetensors, atomically, with architecture, classes and preprocessing in the
/// header's
/// __metadata__ (keys burin.*). Further pairs, such as the accuracy, go in too.
void save_model(const std::string& path, models::Model& model,
                const std::vector<std::string>& classes,
                const std::vector<std::pair<std::string, std::string>>& further = {});

/// Throws Error for a class that save_model could not name: of several lines, or no UTF-8.
void check_class_names(const std::vector<std::string>& classes);

/// The classes that a file names, empty where it names none.
std::vector<std::string> classes_of(const WeightFile& file);

/// What a file that save_model wrote says of its images' preprocessing; `preprocess` where it says
/// nothing. Throws Error for what makes no sense.
models::Preprocess read_preprocess(const WeightFile& file, models::Preprocess preprocess);

/// What a bare file of weights does not say of itself.
struct ModelHints {
  std::string architecture;          // --model
  std::vector<std::string> classes;  // --classes
};

/// Opens a model that save_model wrote, or any file of weights with the hints' help; where the file
/// says otherwise it is right, and a note tells. In evaluation mode, on the CPU. Throws Error with
/// a hint where something is missing.
ModelCard load_model(const std::string& path, const ModelHints& hints = {});

}  // namespace burin::apps
