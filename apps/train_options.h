#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace burin::apps {

/// Everything `burin train` can be told; the defaults are the documented ones (apps/README.md).
/// What a run used is written to its args.toml and can be fed back.
struct TrainOptions {
  // data
  std::vector<std::string>
      data;  // DIR/{class}/* or DIR/{train,val,test}/{class}/*, or an idx folder
  std::string train_dir, test_dir;  // class folders in other places: instead of data, of its val
  double val_frac = 0.2;
  double subset = 1.0;       // share of the training set used
  std::string aug = "auto";  // comma list of flip, crop, square, shift, jitter; none; auto
  int img_size = 224;
  double crop_pct = 0;      // 0: the model's
  int train_crop_size = 0;  // 0: img_size
  int workers = 0;          // decode threads; 0: min(cores, 8)
  // model
  std::string model = "resnet18";
  std::string weights;  // file, "imagenet", "none"; empty: imagenet if cached
  // linear, fastai, a list such as 256,relu,drop0.3; auto: the weights', else linear
  std::string head = "auto";
  std::string recipe = "auto";  // scratch, fine-tune, last-layer; auto: fine-tune with weights
  // optimisation
  int epochs = 3;
  int batch_size = 32;
  bool batch_auto = false;         // halve on out-of-memory
  std::string opt = "adam";        // adam, adamw, sgd
  double lr = 0;                   // 0: the recipe's
  double wd = -1;                  // below 0: the recipe's
  std::string sched = "onecycle";  // onecycle, cosine, step, const
  double warmup_epochs = 0;
  double label_smoothing = 0;
  bool class_weights = false;
  double mixup = 0;      // alpha of its Beta distribution; 0: off
  double cutmix = 0;     // likewise
  int accumulate = 1;    // batches whose gradients make one step
  double clip_grad = 0;  // largest global norm; 0: off
  double ema = 0;        // decay; 0: off
  int patience = 0;      // epochs without gain; 0: off
  // machine
  std::string device = "auto";
  std::string amp = "off";     // off, bf16
  std::string graph = "auto";  // steps recorded and replayed: where that is possible, on, off
  bool autotune = false;       // the vendor's engines are timed when first met
  bool deterministic = false;  // refuse what could make two equal runs differ
  int threads = 0;             // 0: all cores
  std::string impl;
  // run
  uint64_t seed = 42;
  std::string resume;  // a run folder or a last.ckpt
  std::string project = "runs/train";
  std::string name = "exp";
  bool exist_ok = false;
  double save_minutes = 5;
  bool no_plots = false;
  bool no_tensorboard = false;
};

}  // namespace burin::apps
