// How a run is put together: model, weights, what is trained, data, optimiser.
#include <algorithm>
#include <cstdlib>
#include <thread>

#include "burin/apps/device.h"
#include "burin/apps/exit.h"
#include "burin/apps/table.h"
#include "burin/apps/training/augmentation.h"
#include "burin/apps/training/model_file.h"
#include "burin/apps/training/table_source.h"
#include "burin/apps/training/trainer.h"
#include "burin/models/catalog.h"
#include "burin/models/load_weights.h"

namespace burin::apps {
namespace {

/// What the transform leaves to draw, where that is a place in images of one size.
std::optional<data::PlacedTransform> placed_transform(const data::TrainingOptions& options,
                                                      const data::Dataset& dataset) {
  if (options.crop != data::TrainingOptions::Crop::padded) {
    return data::placed_training_transform(options, 0, 0);  // any size: the crop is part of it
  }
  const std::shared_ptr<const data::Image> first = dataset.load(0);
  return data::placed_training_transform(options, first->width, first->height);
}

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
    : options_(with_recipe(options)),
      callbacks_(std::move(callbacks)),
      device_(choose_device(options.device)),
      data_(open_training_data(options)),
      init_generator_(options.seed) {
  if (options.deterministic && options.autotune) {
    throw Failure(exit_usage,
                  "--deterministic: which engines win --autotune can differ from run to run",
                  "leave one of the two out");
  }
  if (options.autotune) setenv("BURIN_AUTOTUNE", "1", 1);  // the cudnn family asks when it plans
  check(options.epochs > 0 && options.batch_size > 0, "--epochs and --batch-size must be positive");
  check(options.amp == "off" || options.amp == "bf16", "--amp: '", options.amp,
        "' is none of off, bf16");
  check(options.accumulate > 0, "--accumulate must be positive");
  dtype_ = options.amp == "bf16" ? DType::bf16 : DType::f32;
  notes_ = data_.notes;
  check_crops();
  make_model();
  make_sources();
  phases_ = phases_of(options_, parameter_groups(*model_, options_).size());
  enter_phase();
  if (options_.ema > 0) ema_ = std::make_unique<nn::Ema>(*model_, options_.ema, true);
  if (options_.mixup > 0 || options_.cutmix > 0) {
    if (options_.class_weights) {
      throw Failure(exit_usage, "--mixup and --cutmix do not go with --class-weights");
    }
    mixer_ = std::make_unique<Mixer>(options_, model_->classes);
  }
  if (options.class_weights) class_weight_ = balanced_class_weights(*data_.train, device_);
  loss_sum_ = zeros({}, {.device = device_});
  decide_replay();
}

/// What cuts nothing off can't be told how much to cut.
void Trainer::check_crops() const {
  const Augmentation aug(options_.aug);
  if (options_.train_crop_size > 0 && !aug.crop && !aug.square && !aug.shift) {
    throw Failure(exit_usage, "--train-crop-size: nothing is cropped",
                  "add --aug crop, square or shift");
  }
  if (options_.crop_pct <= 0 || options_.crop_pct >= 1) return;
  if (data_.small_and_equal) {
    throw Failure(exit_usage, "--crop-pct: idx and CIFAR images are evaluated as they are",
                  "leave it out");
  }
  if (aug.square) {
    throw Failure(exit_usage, "--crop-pct: --aug square evaluates the whole of the centred square",
                  "leave it out, or add --aug crop, shift, flip or none");
  }
}

void Trainer::make_model() {
  // Parameters are always drawn on the CPU, so that every device starts alike.
  model_ = models::make_model(options_.model, static_cast<int64_t>(data_.classes.size()),
                              init_generator_);
  failing_with(exit_usage,
               [&] { model_->set_head(options_.head, init_generator_, init_generator_); });
  if (!options_.weights.empty() && options_.weights != "none") {
    const WeightFile file(options_.weights);
    const std::string* const architecture = file.metadata("burin.architecture");
    check(architecture == nullptr || *architecture == options_.model, options_.weights, ": is a ",
          architecture == nullptr ? "" : *architecture, ", not a ", options_.model,
          "\n  hint: add --model ", architecture == nullptr ? "" : *architecture);
    const models::WeightsReport report = models::load_weights(*model_, file);
    model_->preprocess = read_preprocess(file, model_->preprocess);
    notes_.push_back(str("weights: ", report.entries.loaded, " tensors from ", options_.weights));
    notes_.insert(notes_.end(), report.notes.begin(), report.notes.end());
    const std::vector<std::string> classes = classes_of(file);
    if (!classes.empty() && classes != data_.classes && !report.head_replaced) {
      model_->replace_head(model_->classes, init_generator_);
      model_->set_head(options_.head, init_generator_, init_generator_);
      notes_.emplace_back("the classifier is new: the file's is for other classes");
    }
    if (options_.recipe == "last-layer" && !report.entries.missing.empty()) {
      notes_.push_back(str("the frozen trunk lacks ", report.entries.missing.size(),
                           " tensors that the file does not have: they stay random, and its ",
                           "features may be worth little"));
    }
    if (const std::string rest = report.entries.to_string(); !rest.empty()) notes_.push_back(rest);
  } else {
    if (options_.recipe == "last-layer") {
      throw Failure(exit_usage,
                    "--recipe last-layer trains a new head on a trained trunk: it needs weights",
                    "add --weights FILE, or --weights imagenet");
    }
    if (options_.recipe == "fine-tune" && options_.resume.empty()) {
      notes_.emplace_back(
          "warning: there are no weights to fine-tune: the first epoch trains a head on a trunk "
          "that knows nothing; --weights says where to start, --recipe scratch trains all at once");
    }
  }
  set_input_size();
  nn::to(*model_, device_, Layout::nhwc);
  init_generator_.move_to(device_);  // from here on it draws for dropout
  // Before anything is computed from it: a frozen trunk's norms use their running statistics.
  prepare_model(*model_, options_, {});
}

/// The model's preprocessing for --img-size, in the proportion of crop to resize that --crop-pct
/// gives (rounded as timm does) or the model has; small images of one size are taken as they are.
void Trainer::set_input_size() {
  models::Preprocess& preprocess = model_->preprocess;
  const int64_t size = options_.img_size;
  preprocess.square = Augmentation(options_.aug).square;
  preprocess.resize = data_.small_and_equal ? 0
                      : preprocess.square   ? size
                      : options_.crop_pct > 0
                          ? static_cast<int64_t>(options_.img_size / options_.crop_pct)
                      : preprocess.resize > 0 ? size * preprocess.resize / preprocess.crop
                                              : size * 256 / 224;
  preprocess.crop = size;
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
  const data::Transform plain = evaluation_transform(model_->preprocess);

  const bool mixes = options_.mixup > 0 || options_.cutmix > 0;
  if (options_.recipe == "last-layer" && aug.only_flips() && !mixes) {
    features_only_ = true;
    const auto features = [&](const std::shared_ptr<const data::Dataset>& dataset,
                              const data::LoaderOptions& how, bool mirrored) {
      ImageSource images(dataset, plain, in_order, input_maker());
      return std::make_unique<FeatureSource>(*model_, images, how, mirrored, callbacks_.stop);
    };
    train_source_ = features(data_.train, train, aug.flip);
    val_source_ = features(data_.val, in_order, false);
    notes_.push_back(aug.flip ? "the trunk is frozen: its features of every image and its mirror "
                                "image were computed once"
                              : "the trunk is frozen and nothing is augmented: its features were "
                                "computed once");
  } else {
    data::TrainingOptions augmented =
        training_options(aug, model_->preprocess, data_.small_and_equal);
    if (options_.train_crop_size > 0) augmented.size = options_.train_crop_size;
    train_source_ = image_source(data_.train, data::training_transform(augmented), train,
                                 [&] { return placed_transform(augmented, *data_.train); });
    val_source_ = image_source(data_.val, plain, in_order, [&] {
      const auto in_place = [](data::SampleRandom&) { return data::Placement{}; };
      return data::PlacedTransform{plain, plain.width, in_place};
    });
  }
  check(train_source_->batches_per_epoch() > 0, "there is no training batch");
}

InputMaker Trainer::input_maker() const {
  return InputMaker(model_->preprocess, dtype_, device_, Layout::nhwc);
}

/// Images kept on the device where `placed` gives a transform for that and they have room, else a
/// loader.
std::unique_ptr<BatchSource> Trainer::image_source(
    const std::shared_ptr<const data::Dataset>& dataset, const data::Transform& transform,
    const data::LoaderOptions& how,
    const std::function<std::optional<data::PlacedTransform>()>& placed) {
  // A quarter: what a step needs is not known yet, and it needs most of the memory.
  const size_t room = runtime_of(device_).free_bytes(device_.index) / 4;
  const std::optional<data::PlacedTransform> kept = room > 0 ? placed() : std::nullopt;
  if (!kept || TableSource::bytes(*dataset, *kept) > room) {
    return std::make_unique<ImageSource>(dataset, transform, how, input_maker());
  }
  const double megabytes = static_cast<double>(TableSource::bytes(*dataset, *kept)) * 1e-6;
  notes_.push_back(str("the ", dataset == data_.train ? "training" : "validation", " images (",
                       fixed(megabytes, 1), " MB) are kept on the device"));
  return std::make_unique<TableSource>(dataset, *kept, how, input_maker(), callbacks_.stop);
}

/// --graph: whether steps are recorded and replayed.
void Trainer::decide_replay() {
  check(options_.graph == "auto" || options_.graph == "on" || options_.graph == "off", "--graph: '",
        options_.graph, "' is none of auto, on, off");
  if (options_.graph == "off") return;
  const std::string refusal = why_not_replayed();
  if (!refusal.empty() && options_.graph == "on") {
    throw Failure(exit_usage, "--graph on: " + refusal,
                  "--graph auto replays steps where that is possible");
  }
  if (refusal.empty()) {
    replay_ = std::make_unique<StepReplay>(
        device_, [this](const TrainBatch& batch) { return step_on_device(batch, 0); });
    notes_.emplace_back("steps are recorded once and replayed as a whole");
  } else if (StepGraph::is_possible(device_)) {
    notes_.push_back("steps are not replayed: " + refusal);
  }
}

std::string Trainer::why_not_replayed() const {
  if (!StepGraph::is_possible(device_)) return str(device_, " can't record a step to replay it");
  if (mixer_) return "--mixup and --cutmix mix each batch in another way";
  if (options_.accumulate > 1) return "with --accumulate, batches differ in what they do";
  return {};
}

void Trainer::enter_phase() {
  const Phase* entered = &phases_.front();
  for (const Phase& phase : phases_) {
    if (epoch_ >= phase.first_epoch) entered = &phase;
  }
  if (entered == phase_) return;
  phase_ = entered;
  if (replay_) replay_->forget();
  prepare_model(*model_, options_, *phase_);
  optimizer_ = make_optimizer(*model_, options_);
}

}  // namespace burin::apps
