#include "burin/apps/training/recipe.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "burin/nn/adam.h"
#include "burin/nn/batch_norm.h"
#include "burin/nn/layer_norm.h"
#include "burin/nn/schedule.h"
#include "burin/nn/sgd.h"
#include "burin/tensor/files/weight_file.h"

namespace burin::apps {
namespace {

// fastai's Learner.fine_tune(epochs, base_lr=2e-3, freeze_epochs=1, lr_mult=100, pct_start=.3,
// div=5) and the constants of its Adam.
constexpr double fastai_learning_rate = 2e-3;
constexpr double fastai_weight_decay = 1e-2;
constexpr int64_t frozen_epochs = 1;
constexpr double frozen_warm_share = 0.99;
constexpr double head_to_body = 10;    // slice(stop): the other groups get a tenth
constexpr double head_to_first = 100;  // lr_mult
const nn::AdamOptions fastai_adam = {
    .beta2 = 0.99, .epsilon = 1e-5, .decoupled_weight_decay = true};

bool fine_tunes(const TrainOptions& options) {
  return options.recipe == "fine-tune";
}

/// From `first` to `last` by equal factors.
std::vector<double> geometric(double first, double last, size_t count) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) {
    const double share = count == 1 ? 1 : static_cast<double>(i) / static_cast<double>(count - 1);
    values.push_back(first * std::pow(last / first, share));
  }
  return values;
}

/// Switches gradients and modes by the state-dict names.
class Preparer final : public nn::Visitor {
 public:
  Preparer(std::string head_prefix, bool trunk_trains, bool norms_train)
      : head_prefix_(std::move(head_prefix)),
        trunk_trains_(trunk_trains),
        norms_train_(norms_train) {}

 private:
  bool of_head(const std::string& path) const { return (path + '.').starts_with(head_prefix_); }
  void on_module(const std::string& path, nn::Module& module) override {
    module.training = of_head(path) || trunk_trains_ || norms_train_;
    const bool norm = dynamic_cast<nn::BatchNorm*>(&module) != nullptr ||
                      dynamic_cast<nn::LayerNorm*>(&module) != nullptr;
    if (norm) norms_.insert(path);
  }
  void on_parameter(const std::string& path, Tensor& tensor) override {
    const bool of_norm = norms_.contains(path.substr(0, path.rfind('.')));
    tensor.set_requires_grad(of_head(path) || trunk_trains_ || (of_norm && norms_train_));
  }

  std::string head_prefix_;
  bool trunk_trains_, norms_train_;
  std::unordered_set<std::string> norms_;
};

bool begins_with_any(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

}  // namespace

TrainOptions with_recipe(TrainOptions options) {
  if (options.recipe == "auto") {
    const bool weights = !options.weights.empty() && options.weights != "none";
    options.recipe = weights ? "fine-tune" : "scratch";
  }
  check(options.recipe == "scratch" || options.recipe == "last-layer" || fine_tunes(options),
        "--recipe: '", options.recipe, "' is none of auto, scratch, fine-tune, last-layer");
  if (options.warmup_epochs > 0) {
    check(options.sched == "cosine", "--warmup-epochs: --sched ", options.sched, " has none\n",
          "  hint: add --sched cosine; onecycle warms up by itself");
    check(options.warmup_epochs < options.epochs, "--warmup-epochs ", options.warmup_epochs,
          ": the run would end before its rate is reached\n  hint: fewer than --epochs ",
          options.epochs);
  }
  if (options.aug == "auto") {
    // W1's item_tfms: the largest square at a random place. A frozen trunk without augmentation
    // computes its features once.
    options.aug = fine_tunes(options)           ? "square"
                  : options.recipe == "scratch" ? "flip,crop"
                                                : "none";
  }
  if (options.head == "auto") {
    const bool ours = !options.weights.empty() && options.weights.ends_with(".safetensors");
    const std::optional<WeightFile> file =
        ours ? std::make_optional<WeightFile>(options.weights) : std::nullopt;
    const std::string* const head = file ? file->metadata("burin.head") : nullptr;
    options.head = head == nullptr ? "linear" : *head;
  }
  if (options.lr <= 0) options.lr = fine_tunes(options) ? fastai_learning_rate : 1e-3;
  if (options.wd < 0) options.wd = fine_tunes(options) ? fastai_weight_decay : 0;
  return options;
}

std::vector<Phase> phases_of(const TrainOptions& options, size_t groups) {
  if (!fine_tunes(options)) {
    return {{.epochs = options.epochs, .learning_rates = std::vector<double>(groups, options.lr)}};
  }
  std::vector<double> frozen(groups, options.lr / head_to_body);
  frozen.back() = options.lr;
  const double lower = options.lr / 2;
  return {{.epochs = frozen_epochs,
           .trunk_frozen = true,
           .learning_rates = frozen,
           .warm_share = frozen_warm_share},
          {.first_epoch = frozen_epochs,
           .epochs = options.epochs,
           .learning_rates = geometric(lower / head_to_first, lower, groups),
           .warm_share = 0.3,
           .divisor = 5}};
}

int64_t total_epochs(const std::vector<Phase>& phases) {
  return phases.back().first_epoch + phases.back().epochs;
}

std::vector<nn::ParameterGroup> parameter_groups(models::Model& model,
                                                 const TrainOptions& options) {
  const std::vector<std::string> middle_prefixes = model.middle_prefixes();
  nn::ParameterGroup early, middle, head;
  for (const nn::NamedTensor& p : nn::parameters(model)) {
    if (!fine_tunes(options)) {
      if (p.tensor.requires_grad()) head.parameters.push_back(p);
    } else if (p.name.starts_with(model.head_prefix())) {
      head.parameters.push_back(p);
    } else {
      (begins_with_any(p.name, middle_prefixes) ? middle : early).parameters.push_back(p);
    }
  }
  std::vector<nn::ParameterGroup> groups;
  for (nn::ParameterGroup* group : {&early, &middle, &head}) {
    if (group->parameters.empty()) continue;
    group->learning_rate = options.lr;
    group->weight_decay = options.wd;
    group->decay_vectors = !fine_tunes(options);  // fastai: no decay of norms and biases
    groups.push_back(std::move(*group));
  }
  return groups;
}

void prepare_model(models::Model& model, const TrainOptions& options, const Phase& phase) {
  const bool last_layer = options.recipe == "last-layer";
  Preparer preparer(model.head_prefix(), !last_layer && !phase.trunk_frozen, !last_layer);
  nn::walk(model, preparer);
}

std::unique_ptr<nn::Optimizer> make_optimizer(models::Model& model, const TrainOptions& options) {
  std::vector<nn::ParameterGroup> groups = parameter_groups(model, options);
  if (options.opt == "sgd") return std::make_unique<nn::Sgd>(std::move(groups));
  check(options.opt == "adam" || options.opt == "adamw", "--opt: '", options.opt,
        "' is none of adam, adamw, sgd");
  if (fine_tunes(options)) return std::make_unique<nn::Adam>(std::move(groups), fastai_adam);
  return std::make_unique<nn::Adam>(
      std::move(groups), nn::AdamOptions{.decoupled_weight_decay = options.opt == "adamw"});
}

Scheduled scheduled(const TrainOptions& options, const Phase& phase, double highest, double epoch) {
  const auto epochs = static_cast<double>(phase.epochs);
  const double done = epoch - static_cast<double>(phase.first_epoch);
  const double position = done / epochs;
  if (options.sched == "onecycle") {
    const nn::OneCycle cycle{
        .max_learning_rate = highest, .warm_share = phase.warm_share, .divisor = phase.divisor};
    return {cycle.learning_rate(position), cycle.momentum(position)};
  }
  if (options.sched == "cosine") {
    const nn::CosineWithWarmUp cosine{.max_learning_rate = highest,
                                      .warm_share = options.warmup_epochs / epochs};
    return {cosine.learning_rate(position)};
  }
  if (options.sched == "step") {
    const nn::StepDecay steps{.initial_learning_rate = highest,
                              .every_epochs = std::max<int64_t>(1, phase.epochs / 3)};
    return {steps.learning_rate(static_cast<int64_t>(done))};
  }
  check(options.sched == "const", "--sched: '", options.sched,
        "' is none of onecycle, cosine, step, const");
  return {highest};
}

void set_schedule(nn::Optimizer& optimizer, const TrainOptions& options, const Phase& phase,
                  double epoch) {
  for (size_t g = 0; g < optimizer.groups().size(); ++g) {
    nn::ParameterGroup& group = optimizer.groups()[g];
    const Scheduled now = scheduled(options, phase, phase.learning_rates[g], epoch);
    group.learning_rate = now.learning_rate;
    if (now.momentum) group.momentum = *now.momentum;
  }
}

std::vector<std::pair<double, double>> learning_rate_curve(const TrainOptions& options,
                                                           const std::vector<Phase>& phases) {
  constexpr int64_t points = 24;  // of an epoch
  std::vector<std::pair<double, double>> curve;
  for (const Phase& phase : phases) {
    const auto first = static_cast<double>(phase.first_epoch),
               end = first + static_cast<double>(phase.epochs);
    for (int64_t i = 0; i <= phase.epochs * points; ++i) {
      const double epoch = first + static_cast<double>(i) / points;
      // Just before the end: there the next phase, or step, begins.
      const double at = std::min(epoch, end - 1e-9);
      curve.emplace_back(epoch,
                         scheduled(options, phase, phase.learning_rates.back(), at).learning_rate);
    }
  }
  return curve;
}

}  // namespace burin::apps
