#pragma once

#include <string>

#include "burin/apps/options.h"
#include "burin/apps/training/model_file.h"

namespace burin::apps {

/// The model a command uses, and where it runs.
struct ModelOptions {
  std::string file;          // or a run folder
  std::string architecture;  // for a file that does not say
  std::string classes;       // likewise: "ai,real"
  std::string device = "auto";
  std::string amp = "off";
};

/// Declares -m, --model, --classes, --device and --amp.
void add_model_options(Command& command, ModelOptions& options);
/// The same but for -m, for a command that takes several models.
void add_inference_options(Command& command, ModelOptions& options);
/// --model and --classes alone, for a command that asks no model.
void add_hint_options(Command& command, ModelOptions& options);
/// What those say. Throws Failure (usage) for an unknown model, and a class that has no name or
/// stands twice.
ModelHints hints_of(const ModelOptions& options);

/// To stderr: what a model's file turned out to be. Nothing with --quiet.
void print_notes(const ModelCard& card, const Session& session);

/// Throws Failure (usage) with a suggestion where there is no architecture of that name.
void expect_architecture(const std::string& name);

/// A model ready to be asked: on its device, in evaluation mode, with its notes printed to stderr
/// unless --quiet.
struct LoadedModel {
  ModelCard card;
  std::string path;
  Device device;
  DType dtype = DType::f32;  // of the activations

  models::Model& model() const { return *card.model; }
};
/// Throws Failure: bad input for a file that can't be used, no device.
LoadedModel load_model(const ModelOptions& options, const Session& session);

}  // namespace burin::apps
