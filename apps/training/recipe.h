#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "burin/apps/train_options.h"
#include "burin/models/model.h"
#include "burin/nn/optimizer.h"

namespace burin::apps {

/// What the recipe decides where the user did not: the recipe itself, the augmentation, the
/// head, learning rate and weight decay. Weights must be resolved to a file or "none".
///
///   scratch     everything is trained, from random weights
///   fine-tune   fastai's fine_tune: one epoch with the trunk frozen but for its norms, then all
///               of it with rates that fall from the head to the first layers; fastai's Adam
///   last-layer  the head alone is trained
///
/// fine-tune is taken where there are weights, else scratch.
TrainOptions with_recipe(TrainOptions options);

/// A stretch of epochs with an optimiser of its own.
struct Phase {
  int64_t first_epoch = 0;
  int64_t epochs = 0;
  bool trunk_frozen = false;           // but for its norms, which go on training
  std::vector<double> learning_rates;  // the highest of each group
  double warm_share = 0.25;            // of a one-cycle schedule, as the next
  double divisor = 25;
};

/// The phases of a run for a model of `groups` groups of parameters.
std::vector<Phase> phases_of(const TrainOptions& options, size_t groups);
int64_t total_epochs(const std::vector<Phase>& phases);

/// The trained parameters, from the first layers to the head. Only fine-tune has more than one
/// group: fastai's three of a ResNet, two of others.
std::vector<nn::ParameterGroup> parameter_groups(models::Model& model, const TrainOptions& options);

/// Says which parameters want a gradient and which parts are in training mode: for a phase, or for
/// last-layer, where norms keep their running statistics.
void prepare_model(models::Model& model, const TrainOptions& options, const Phase& phase);

std::unique_ptr<nn::Optimizer> make_optimizer(models::Model& model, const TrainOptions& options);

/// A schedule at one moment.
struct Scheduled {
  double learning_rate = 0;
  std::optional<double> momentum = {};  // where the schedule has one
};

/// `highest` is the group's learning rate of the phase; `epoch` as below.
Scheduled scheduled(const TrainOptions& options, const Phase& phase, double highest, double epoch);

/// Sets learning rate and momentum of every group. `epoch` counts from the beginning of the run
/// and has a fraction: the share of its steps that were taken.
void set_schedule(nn::Optimizer& optimizer, const TrainOptions& options, const Phase& phase,
                  double epoch);

/// The head's learning rate over a whole run, for a chart: (epoch, rate), many to an epoch.
std::vector<std::pair<double, double>> learning_rate_curve(const TrainOptions& options,
                                                           const std::vector<Phase>& phases);

}  // namespace burin::apps
