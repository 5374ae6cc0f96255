#include <algorithm>
#include <memory>

#include "burin/apps/command_line.h"
#include "burin/apps/commands.h"
#include "burin/apps/device.h"
#include "burin/apps/exit.h"
#include "burin/apps/lint/finding.h"
#include "burin/apps/model_options.h"
#include "burin/apps/run_folder.h"
#include "burin/apps/train_command.h"
#include "burin/apps/train_run.h"
#include "burin/apps/training/augmentation.h"
#include "burin/apps/training/recipe.h"
#include "burin/apps/weights_option.h"
#include "burin/data/cifar.h"
#include "burin/data/idx.h"
#include "burin/data/image_folder.h"
#include "burin/kernels/base/parallel.h"
#include "burin/models/catalog.h"

namespace burin::apps {
namespace {

void add_data_options(Command& command, TrainFlags& flags) {
  TrainOptions& train = flags.train;
  command.heading("Data");
  command.add("data,--data", &train.data,
              "DIR/<class>/*, DIR/{train,val,test}/<class>/*, or idx files; several are joined");
  command.add("--train", &train.train_dir, "class folders to train on, in another place");
  command.add("--test", &train.test_dir, "class folders to validate on, in another place");
  command.add("--val-frac", &train.val_frac, "share set aside where there is no val folder",
              between(0.001, 0.9));
  command.add("--subset", &train.subset, "share of the training set to use", between(1e-6, 1));
  command.add("--aug", &train.aug,
              "comma list of flip, crop, square, shift, jitter; none; or auto, the recipe's");
  command.add("--img-size", &flags.img_size,
              "side of the input; 0: what an idx or CIFAR set has, else the model's: 224",
              between(0, 4096));
  command.add("--crop-pct", &train.crop_pct,
              "share of the shorter side that the evaluation's centre crop keeps; 0: the model's",
              zero_or_between(0.1, 1));
  command.add("--train-crop-size", &train.train_crop_size,
              "side of the crops that --aug crop, square and shift train on; 0: the input's",
              between(0, 4096));
  command.add("-j,--workers", &train.workers, "threads that decode; 0: the cores, at most 8",
              between(0, 1024));
}

void add_model_options(Command& command, TrainFlags& flags) {
  TrainOptions& train = flags.train;
  command.heading("Model");
  command.add("-m,--model", &train.model, "a name from burin info --models");
  command.add("--weights", &train.weights, "where to start: a file, a run, imagenet, or none");
  command.add("--head", &train.head,
              "classifier: linear, fastai, or a list: 256,relu,drop0.3; auto: as weights of ours");
  command.add("--recipe", &train.recipe, "what is trained, and how; auto: fine-tune with weights",
              one_of({"auto", "scratch", "fine-tune", "last-layer"}));
}

void add_optimisation_options(Command& command, TrainFlags& flags) {
  TrainOptions& train = flags.train;
  command.heading("Optimisation");
  command.add("-e,--epochs", &train.epochs, "times through the training set", at_least(1));
  command.add("-b,--batch-size", &flags.batch_size,
              "images a step; auto: 32, halved when memory runs out");
  command.add("--opt", &train.opt, "optimiser", one_of({"adam", "adamw", "sgd"}));
  command.add("--lr", &train.lr, "learning rate, the highest of a schedule; 0: the recipe's",
              at_least(0));
  command.add("--wd,--weight-decay", &train.wd, "weight decay; -1: the recipe's", at_least(-1));
  command.add("--sched", &train.sched, "schedule of the learning rate",
              one_of({"onecycle", "cosine", "step", "const"}));
  command.add("--warmup-epochs", &train.warmup_epochs, "of the cosine schedule", at_least(0));
  command.add("--label-smoothing", &train.label_smoothing, "share spread over all classes",
              between(0, 0.999));
  command.add("--class-weights", &train.class_weights, "weigh classes by their rarity");
  command.add("--mixup", &train.mixup, "alpha of images mixed with each other; 0: off",
              at_least(0));
  command.add("--cutmix", &train.cutmix, "alpha of boxes cut from one another; 0: off",
              at_least(0));
  command.add("--accumulate", &train.accumulate, "batches whose gradients make one step",
              at_least(1));
  command.add("--clip-grad", &train.clip_grad, "largest norm of all gradients; 0: any",
              at_least(0));
  command.add("--ema", &train.ema, "decay of the averaged weights; 0: none", between(0, 0.999999));
  command.add("--patience", &train.patience, "epochs without gain before it stops; 0: all",
              at_least(0));
}

void add_run_options(Command& command, TrainFlags& flags) {
  TrainOptions& train = flags.train;
  command.heading("Machine");
  command.add("--device", &train.device, "auto, cpu, cuda, cuda:N, emulator or emulator:N");
  command.add("--amp", &train.amp, "dtype of the activations", one_of({"off", "bf16"}));
  command.add("--graph", &train.graph,
              "record a training step once and replay it; auto: where the device can",
              one_of({"auto", "on", "off"}));
  command.add("--autotune", &train.autotune, "time the vendor's engines once and take the fastest");
  command.add("--deterministic", &train.deterministic,
              "refuse what could make two equal runs differ: --autotune alone does");
  command.heading("Run");
  command.add("--seed", &train.seed, "of weights, split, order and augmentation");
  command.add("--project", &train.project, "folder of the runs");
  command.add("--name", &train.name, "of this run; exp, exp2, exp3 where it is taken");
  command.add("--exist-ok", &train.exist_ok, "write into an existing run folder");
  command.add("--resume", &train.resume, "go on: a run folder or its last.ckpt").saved = false;
  command.add("--save-minutes", &train.save_minutes, "between checkpoints within an epoch",
              above(0));
  command.add("--no-plots", &train.no_plots, "no report.html, charts and sheets of images");
  command.add("--no-tensorboard", &train.no_tensorboard, "no event file");
  command.add("--log-interval", &flags.log_interval, "seconds between lines where no bar is drawn",
              above(0));
}

void resolve_batch_size(TrainFlags& flags) {
  if (flags.batch_size == "auto") {
    flags.train.batch_auto = true;
    return;
  }
  const Option number{"--batch-size", &flags.train.batch_size, "", at_least(1), ""};
  number.assign({flags.batch_size}, "--batch-size");
}

/// What can be wrong with the names of the model, of the augmentation and of the run.
void check_names(const TrainOptions& train) {
  expect_architecture(train.model);
  const std::string& name = train.name;
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    throw Failure(exit_usage, "--name: '" + name + "' is no name of a folder",
                  "--project says where it lies");
  }
  if (train.aug != "auto") failing_with(exit_usage, [&] { Augmentation{train.aug}; });
}

/// Before weights are fetched.
void expect_folders(const TrainOptions& train) {
  for (const std::string& folder : train.data) data::expect_folder(folder);
  for (const std::string& folder : {train.train_dir, train.test_dir}) {
    if (!folder.empty()) data::expect_folder(folder);
  }
}

/// 0 becomes the side of the images where all have the same, small one; else what the model was
/// made for.
void resolve_image_size(TrainFlags& flags) {
  TrainOptions& train = flags.train;
  if (flags.img_size > 0) {
    train.img_size = flags.img_size;
  } else if (!train.data.empty() && data::is_idx_folder(train.data.front())) {
    train.img_size =
        static_cast<int>(data::open_idx_folder(train.data.front(), "t10k")->load(0)->width);
  } else if (!train.data.empty() && data::is_cifar_folder(train.data.front())) {
    train.img_size = 32;
  } else {
    train.img_size = static_cast<int>(models::find_model(train.model)->input_size);
  }
  flags.img_size = train.img_size;
}

void resolve_weights(TrainFlags& flags, const Session& session) {
  TrainOptions& train = flags.train;
  if (!train.resume.empty() && train.recipe != "last-layer") {
    train.weights = "none";  // the checkpoint has them
    return;
  }
  Progress progress(make_terminal(session.globals), flags.log_interval);
  train.weights = resolve_weights(train.weights, train.model, progress);
}

}  // namespace

void add_train_options(Command& command, TrainFlags& flags) {
  add_data_options(command, flags);
  add_model_options(command, flags);
  add_optimisation_options(command, flags);
  add_run_options(command, flags);
}

void resolve_train_flags(TrainFlags& flags, const Session& session) {
  TrainOptions& train = flags.train;
  resolve_batch_size(flags);
  check_names(train);
  if (train.data.empty() && train.train_dir.empty()) {
    throw Failure(exit_usage, "no data folder given", "burin train DIR, with DIR/<class>/*.jpg");
  }
  if (!train.data.empty() && !train.train_dir.empty()) {
    throw Failure(
        exit_usage,
        str("two folders to train on: ", train.data.front(), ", and --train ", train.train_dir),
        "burin train A B joins them");
  }
  failing_with(exit_bad_input, [&] {
    expect_folders(train);
    resolve_image_size(flags);
  });
  resolve_weights(flags, session);
  train = failing_with(exit_usage, [&] { return with_recipe(train); });
  refuse_fatal(lint_options(train, 0), exit_usage);
  train.threads = compute_threads();
  train.impl = session.globals.impl;
}

TrainResult run_train(TrainFlags& flags, const Session& session) {
  TrainOptions& train = flags.train;
  resolve_train_flags(flags, session);

  Globals globals = session.globals;
  globals.threads = train.threads;
  Command described("train", "", "");
  add_train_options(described, flags);
  TrainRun run(train, make_terminal(session.globals), flags.log_interval,
               resolved_arguments(globals, described));
  const ExitCode code = run.run();
  return {code, run.folder().path().string()};
}

Command train_command() {
  const auto flags = std::make_shared<TrainFlags>();
  Command command("train", "Training", "train a classifier on folders of images");
  command.details =
      "burin train photos                    photos/<class>/*.jpg, 20 % set aside\n"
      "burin train photos -e 10 --weights resnet18.pth\n"
      "burin train --resume runs/train/exp   goes on where it was ended";
  add_train_options(command, *flags);
  command.default_config = [flags] {
    const std::string& resume = flags->train.resume;
    return resume.empty() ? "" : (RunFolder::open(resume).path() / "args.toml").string();
  };
  command.run = [flags](const Session& session) { return run_train(*flags, session).code; };
  return command;
}

}  // namespace burin::apps
