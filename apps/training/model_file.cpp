#include "burin/apps/training/model_file.h"

#include <sstream>

#include "burin/apps/json.h"
#include "burin/apps/training/checkpoint.h"
#include "burin/models/catalog.h"
#include "burin/models/load_weights.h"
#include "burin/tensor/random.h"
#include "burin/version.h"

namespace burin::apps {
namespace {

// Class names are folder names: they may hold commas, not newlines.
constexpr char separator = '\n';

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    text += (text.empty() ? "" : std::string(1, separator)) + part;
  }
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

std::string three(const std::array<float, 3>& values) {
  return str(values[0], ' ', values[1], ' ', values[2]);
}

/// Overwrites `value` with the metadata's, where it is there and well-formed.
template <class T>
void read_into(const WeightFile& file, const char* key, T& value) {
  const std::string* const text = file.metadata(key);
  if (text == nullptr) return;
  std::istringstream in(*text);
  if constexpr (std::is_same_v<T, std::array<float, 3>>) {
    in >> value[0] >> value[1] >> value[2];
  } else {
    in >> value;
  }
  check(!in.fail(), file.path(), ": the metadata's ", key, " is '", *text, "'");
}

}  // namespace

void check_class_names(const std::vector<std::string>& classes) {
  for (const std::string& name : classes) {
    const char* const flaw = name.find(separator) != std::string::npos ? "of several lines"
                             : !is_json_text(name)                     ? "not UTF-8"
                                                                       : nullptr;
    check(flaw == nullptr, "class '", name, "': a name that is ", flaw,
          " can't be kept in a model file\n  hint: rename the folder");
  }
}

std::vector<std::string> classes_of(const WeightFile& file) {
  const std::string* const classes = file.metadata("burin.classes");
  return classes == nullptr ? std::vector<std::string>() : split(*classes);
}

models::Preprocess read_preprocess(const WeightFile& file, models::Preprocess preprocess) {
  read_into(file, "burin.resize", preprocess.resize);
  read_into(file, "burin.crop", preprocess.crop);
  read_into(file, "burin.bicubic", preprocess.bicubic);
  read_into(file, "burin.square", preprocess.square);
  read_into(file, "burin.mean", preprocess.mean);
  read_into(file, "burin.std", preprocess.std);
  constexpr int64_t largest_side = 16'384;
  check(preprocess.resize >= 0 && preprocess.resize <= largest_side && preprocess.crop > 0 &&
            preprocess.crop <= largest_side,
        file.path(), ": the metadata's sizes, resize ", preprocess.resize, " and crop ",
        preprocess.crop, ", make no sense");
  for (const float s : preprocess.std) {
    check(s > 0, file.path(), ": the metadata's std must be positive");
  }
  return preprocess;
}

void save_model(const std::string& path, models::Model& model,
                const std::vector<std::string>& classes,
                const std::vector<std::pair<std::string, std::string>>& further) {
  Metadata metadata = {{"format", "pt"},
                       {"burin.release", release},
                       {"burin.architecture", model.architecture},
                       {"burin.classes", join(classes)},
                       {"burin.resize", str(model.preprocess.resize)},
                       {"burin.crop", str(model.preprocess.crop)},
                       {"burin.bicubic", str(model.preprocess.bicubic)},
                       {"burin.square", str(model.preprocess.square)},
                       {"burin.head", model.head_spec()},
                       {"burin.mean", three(model.preprocess.mean)},
                       {"burin.std", three(model.preprocess.std)}};
  metadata.insert(metadata.end(), further.begin(), further.end());
  nn::save_state(path, nn::state(model), metadata);
}

ModelCard load_model(const std::string& path, const ModelHints& hints) {
  const WeightFile file(path);
  const std::string* const architecture = file.metadata("burin.architecture");

  ModelCard card;
  const bool says = architecture != nullptr && !architecture->empty();
  const std::string name = says ? *architecture : hints.architecture;
  if (!hints.architecture.empty() && hints.architecture != name) {
    card.notes.push_back(str(path, ": is a ", name, ", whatever --model says"));
  }
  card.classes = classes_of(file);
  if (card.classes.empty()) card.classes = hints.classes;
  if (!hints.classes.empty() && hints.classes != card.classes) {
    card.notes.push_back(
        str(path, ": its classes are ", listed(card.classes, 10), ", whatever --classes says"));
  }
  check(!is_checkpoint(file), path, ": is a checkpoint to resume from, not a model\n  hint: ",
        "give the folder of the run, or its weights/best.safetensors");
  check(!name.empty(), path,
        ": the file does not say what model it is\n  hint: add --model resnet18 (or ",
        "another of `burin info --models`)");
  check(!card.classes.empty(), path, ": the file does not say what its classes are\n  hint: add ",
        "--classes with their names in the order of the labels, such as --classes ai,real");

  card.generator = std::make_unique<Generator>(0);
  const DrawNothing weights_come_from_the_file(*card.generator);
  card.model = models::make_model(name, static_cast<int64_t>(card.classes.size()), *card.generator);
  const std::string* const head = file.metadata("burin.head");
  if (head != nullptr) card.model->set_head(*head, *card.generator, *card.generator);
  card.model->preprocess = read_preprocess(file, card.model->preprocess);
  const models::WeightsReport report = models::load_weights(*card.model, file);
  check(report.entries.complete() && !report.head_replaced, path, ": does not fit a ", name,
        " with ", card.classes.size(), " classes\n", report.entries.to_string(),
        "  hint: check --model and --classes");
  card.notes.insert(card.notes.end(), report.notes.begin(), report.notes.end());
  if (const std::string* const aug = file.metadata("burin.aug")) card.aug = *aug;
  nn::set_training(*card.model, false);
  nn::set_requires_grad(*card.model, false);
  return card;
}

}  // namespace burin::apps
