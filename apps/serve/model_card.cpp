#include "burin/apps/serve/model_card.h"

#include <sys/stat.h>

#include <ctime>
#include <filesystem>
#include <sstream>

#include "burin/apps/table.h"
#include "burin/apps/toml.h"
#include "burin/data/file.h"
#include "burin/nn/module.h"
#include "burin/tensor/files/weight_file.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

std::string date_of(const std::string& path) {
  struct stat status {};
  tm parts{};
  if (stat(path.c_str(), &status) != 0 || gmtime_r(&status.st_mtime, &parts) == nullptr) return "";
  char text[16];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%d", &parts)};
}

/// The name of the folder a run was trained on; "" for a model that is not in a run's folder.
std::string data_of_run(const fs::path& model) {
  const fs::path arguments = fs::absolute(model).parent_path().parent_path() / "args.toml";
  if (model.parent_path().filename() != "weights" || !fs::is_regular_file(arguments)) return "";
  std::string names;
  for (const TomlEntry& entry : parse_toml(data::read_text(arguments), arguments.string())) {
    if (entry.section != "train" || (entry.key != "data" && entry.key != "train")) continue;
    for (const std::string& folder : entry.values) {
      if (folder.empty()) continue;
      fs::path name = fs::path(folder).lexically_normal();
      if (!name.has_filename()) name = name.parent_path();
      names += (names.empty() ? "" : ", ") + name.filename().string();
    }
  }
  return names;
}

}  // namespace

Json ServedModelCard::json() const {
  Json card = Json::object();
  card.set("name", Json::of(name)).set("architecture", Json::of(architecture));
  card.set("classes", Json::of(classes)).set("parameters", Json::of(parameters));
  card.set("image_size", Json::of(image_size)).set("device", Json::of(device));
  if (accuracy) card.set("accuracy", Json::of(*accuracy, 4));
  if (!trained_on.empty()) card.set("trained_on", Json::of(trained_on));
  if (!date.empty()) card.set("date", Json::of(date));
  card.set("load_ms", Json::of(load_ms, 1));
  return card;
}

ServedModelCard make_card(const std::string& name, const LoadedModel& model, double load_ms) {
  ServedModelCard card;
  card.name = name;
  card.architecture = model.model().architecture;
  card.classes = model.card.classes;
  card.parameters = nn::parameter_count(model.model());
  card.image_size = model.model().preprocess.crop;
  card.device = str(model.device);
  const WeightFile file(model.path);
  if (const std::string* const text = file.metadata("burin.accuracy")) {
    std::istringstream in(*text);
    double accuracy = 0;
    if (in >> accuracy) card.accuracy = accuracy;
  }
  card.trained_on = data_of_run(model.path);
  card.date = date_of(model.path);
  card.load_ms = load_ms;
  return card;
}

}  // namespace burin::apps
