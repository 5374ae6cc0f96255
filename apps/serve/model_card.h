#pragma once

#include <optional>
#include <string>
#include <vector>

#include "burin/apps/json.h"
#include "burin/apps/model_options.h"

namespace burin::apps {

/// What a model says of itself, for the page and GET /api/v1/model.
struct ServedModelCard {
  std::string name;
  std::string architecture;
  std::vector<std::string> classes;
  int64_t parameters = 0;
  int64_t image_size = 0;
  std::string device;
  std::optional<double> accuracy;  // on its validation set, where the file says
  std::string trained_on;          // the name of the data's folder; may be empty
  std::string date;                // of the file: "2026-11-22"
  double load_ms = 0;

  Json json() const;
};

/// Reads it from a model just loaded, its file's metadata and, for the weights of a run, the run's
/// args.toml.
ServedModelCard make_card(const std::string& name, const LoadedModel& model, double load_ms);

}  // namespace burin::apps
