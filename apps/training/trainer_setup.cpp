// How a run is put together: model, weights, what is trained, data, optimiser.
#include <algorithm>
#include <sstream>
#include <thread>

#include "burin/apps/device.h"
#include "burin/apps/training/trainer.h"
#include "burin/models/catalog.h"
#include "burin/models/load_weights.h"
#include "burin/nn/adam.h"
#include "burin/nn/sgd.h"

namespace burin::apps {
namespace {

/// Comma-separated names → true for each that is there. Throws Error for an unknown one.
struct Augmentation {
  bool flip = false;
  bool crop = false;
  bool jitter = false;

  explicit Augmentation(const std::string& list) {
    std::istringstream in(list);
    for (std::string name; std::getline(in, name, ',');) {
      if (name == "flip") {
        flip = true;
      } else if (name == "crop") {
        crop = true;
      } else if (name == "jitter") {
        jitter = true;
      } else {
        check(name == "none", "--aug: '", name, "' is none of flip, crop, jitter, none");
      }
    }
  }
  bool any() const { return flip || crop || jitter; }
};

data::Transform training_transform(const Augmentation& aug, const models::Preprocess& preprocess,
                                   bool small_and_equal) {
  data::TrainingOptions options;
  options.size = preprocess.crop;
  options.crop = !aug.crop         ? data::TrainingOptions::Crop::none
                 : small_and_equal ? data::TrainingOptions::Crop::padded
                                   : data::TrainingOptions::Crop::resized;
  options.flip_probability = aug.flip ? 0.5 : 0;
  if (aug.jitter) options.jitter = {.brightness = 0.2, .contrast = 0.2, .saturation = 0.2};
  options.filter = preprocess.bicubic ? data::Filter::bicubic : data::Filter::bilinear;
  options.otherwise = {preprocess.resize, preprocess.crop, options.filter};
  return data::training_transform(options);
}

/// Everything but the head stays as it is: no gradients, and norms keep their running statistics.
class FreezeTrunk final : public nn::Visitor {
 public:
  explicit FreezeTrunk(std::string head_prefix) : head_prefix_(std::move(head_prefix)) {}

 private:
  bool of_head(const std::string& path) const { return (path + '.').starts_with(head_prefix_); }
  void on_module(const std::string& path, nn::Module& module) override {
    module.training = of_head(path);
  }
  void on_parameter(const std::string& path, Tensor& tensor) override {
    tensor.set_requires_grad(of_head(path));
  }
  std::string head_prefix_;
};

/// torch's and sklearn's "balanced": samples / (classes · samples of the class).
Tensor balanced_class_weights(const data::Dataset& dataset, Device device) {
  const std::vector<int64_t> counts = data::class_counts(dataset);
  std::vector<float> weights;
  for (const int64_t count : counts) {
    weights.push_back(
        static_cast<float>(dataset.size()) /
        static_cast<float>(static_cast<int64_t>(counts.size()) * std::max<int64_t>(count, 1)));
  }
  return Tensor::from(weights, {static_cast<int64_t>(weights.size())}, {.device = device});
}

}  // namespace

Trainer::Trainer(const TrainOptions& options, TrainCallbacks callbacks)
    : options_(options),
      callbacks_(std::move(callbacks)),
      device_(choose_device(options.device)),
      data_(open_training_data(options)),
      init_generator_(options.seed) {
  check(options.epochs > 0 && options.batch_size > 0, "--epochs and --batch-size must be positive");
  check(options.amp == "off" || options.amp == "bf16", "--amp: '", options.amp,
        "' is none of off, bf16");
  check(options.recipe == "scratch" || options.recipe == "last-layer", "--recipe: '",
        options.recipe, "' is none of scratch, last-layer");
  check(options.head == "linear", "--head: '", options.head, "': only a linear head is available");
  dtype_ = options.amp == "bf16" ? DType::bf16 : DType::f32;
  notes_ = data_.notes;
  make_model();
  make_sources();
  make_optimizer();
  if (options.class_weights) class_weight_ = balanced_class_weights(*data_.train, device_);
  loss_sum_ = zeros({}, {.device = device_});
}

void Trainer::make_model() {
  // Parameters are always drawn on the CPU, so that every device starts alike.
  model_ = models::make_model(options_.model, static_cast<int64_t>(data_.classes.size()),
                              init_generator_);
  model_->preprocess.crop = options_.img_size;
  // torchvision's ratio of 256 : 224; small images of one size are taken as they are.
  model_->preprocess.resize =
      data_.small_and_equal ? 0 : static_cast<int64_t>(options_.img_size) * 256 / 224;
  if (!options_.weights.empty() && options_.weights != "none") {
    const models::WeightsReport report = models::load_weights(*model_, options_.weights);
    notes_.push_back(str("weights: ", report.entries.loaded, " tensors from ", options_.weights));
    notes_.insert(notes_.end(), report.notes.begin(), report.notes.end());
    if (const std::string rest = report.entries.to_string(); !rest.empty()) notes_.push_back(rest);
  } else {
    check(options_.recipe != "last-layer",
          "--recipe last-layer trains a new head on a trained trunk: ",
          "it needs weights\n  hint: add --weights FILE, or --weights imagenet");
  }
  nn::to(*model_, device_, Layout::nhwc);
  if (options_.recipe == "last-layer") {
    FreezeTrunk freeze(model_->head_prefix());
    nn::walk(*model_, freeze);
  }
}

void Trainer::make_sources() {
  const Augmentation aug(options_.aug);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int workers = options_.workers > 0 ? options_.workers : std::clamp(cores, 1, 8);
  data::LoaderOptions train{.batch_size = options_.batch_size,
                            .workers = workers,
                            .shuffle = true,
                            .drop_last = data_.train->size() >= options_.batch_size,
                            .seed = options_.seed};
  const data::LoaderOptions in_order{.batch_size = options_.batch_size, .workers = workers};
  const InputMaker input(model_->preprocess, dtype_, device_, Layout::nhwc);
  const auto images = [&](const std::shared_ptr<const data::Dataset>& dataset,
                          const data::Transform& transform, const data::LoaderOptions& how) {
    return std::make_unique<ImageSource>(dataset, transform, how, input);
  };
  const data::Transform plain = evaluation_transform(model_->preprocess);

  if (options_.recipe == "last-layer" && !aug.any()) {
    features_only_ = true;
    train_source_ =
        std::make_unique<FeatureSource>(*model_, *images(data_.train, plain, in_order), train);
    val_source_ =
        std::make_unique<FeatureSource>(*model_, *images(data_.val, plain, in_order), in_order);
    notes_.push_back(
        "the trunk is frozen and nothing is augmented: its features were computed once");
  } else {
    train_source_ = images(
        data_.train, training_transform(aug, model_->preprocess, data_.small_and_equal), train);
    val_source_ = images(data_.val, plain, in_order);
  }
  check(train_source_->batches_per_epoch() > 0, "there is no training batch");
}

void Trainer::make_optimizer() {
  nn::ParameterGroup group;
  for (const nn::NamedTensor& p : nn::parameters(*model_)) {
    if (p.tensor.requires_grad()) group.parameters.push_back(p);
  }
  group.learning_rate = options_.lr;
  group.weight_decay = options_.wd;
  if (options_.opt == "sgd") {
    optimizer_ = std::make_unique<nn::Sgd>(std::vector{group});
  } else {
    check(options_.opt == "adam" || options_.opt == "adamw", "--opt: '", options_.opt,
          "' is none of adam, adamw, sgd");
    optimizer_ = std::make_unique<nn::Adam>(
        std::vector{group}, nn::AdamOptions{.decoupled_weight_decay = options_.opt == "adamw"});
  }
  if (options_.ema > 0) ema_ = std::make_unique<nn::Ema>(*model_, options_.ema, true);
}

}  // namespace burin::apps
