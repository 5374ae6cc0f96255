#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "burin/apps/classifier.h"
#include "burin/apps/serve/http.h"
#include "burin/apps/serve/serve_metrics.h"

namespace burin::apps {

/// A model under the name it is served by.
struct ServedModel {
  std::string name;
  std::unique_ptr<Classifier> classifier;
};

/// The images of one request on their way through the queue.
struct PredictJob {
  std::shared_ptr<const ServedModel> model;
  std::vector<InputImage> images;
  bool explain = false;  // with Grad-CAM,
  int64_t target = -1;   // of this class; −1: of the one predicted
  HttpClock::time_point deadline;
  /// Called once, on a thread of the queue: all images are done, or `failure` says why not. Must
  /// not throw.
  std::function<void(PredictJob&)> done;

  std::vector<Prediction> predictions;  // one for each image
  std::vector<models::GradCam> cams;    // likewise, if `explain`
  std::string failure;                  // what went wrong with the whole job
  bool expired = false;                 // its deadline passed while it waited

 private:
  friend class ModelQueue;
  size_t next_ = 0;        // image to decode
  size_t unfinished_ = 0;  // images
};

struct ModelQueueOptions {
  size_t capacity = 64;  // images, waiting or under way
  size_t batch = 16;     // images the model is given at once, at most
  int decoders = 2;      // threads
  int threads = 0;       // that compute; 0: as the caller's
};

/// Between the server's threads and the models: a bounded queue, threads that decode, and one
/// thread that runs the models on whatever is decoded by then, together. Requests take turns image
/// by image, so that one with sixteen large photos does not hold up one with a small one.
class ModelQueue {
 public:
  /// Returns once `models` have run on the model thread, so that the first request is not slower.
  ModelQueue(const ModelQueueOptions& options,
             const std::vector<std::shared_ptr<const ServedModel>>& models, ServeMetrics& metrics);
  ModelQueue(const ModelQueue&) = delete;
  ModelQueue& operator=(const ModelQueue&) = delete;
  /// Ends the threads; jobs still waiting are dropped.
  ~ModelQueue();

  /// False if the queue has no room for the job's images. `job->images` must not be empty.
  bool submit(std::shared_ptr<PredictJob> job);
  /// Images that wait or are under way.
  size_t depth() const;
  size_t capacity() const { return options_.capacity; }

 private:
  struct Prepared {
    std::shared_ptr<PredictJob> job;
    size_t index = 0;
    std::vector<uint8_t> pixels;  // empty: there is nothing to run
  };

  void decode_images(const std::stop_token& stop);
  void decode(Prepared& one);
  void run_models(const std::stop_token& stop);
  std::vector<Prepared> take_batch();
  void run(std::vector<Prepared>& batch);
  void finish(const std::vector<Prepared>& batch);

  ModelQueueOptions options_;
  ServeMetrics& metrics_;

  mutable std::mutex mutex_;  // guards what follows, and the jobs' counters
  std::condition_variable_any decode_wanted_;
  std::condition_variable_any run_wanted_;
  std::deque<std::shared_ptr<PredictJob>> waiting_;  // with images to decode
  std::deque<Prepared> prepared_;
  size_t depth_ = 0;

  std::vector<std::jthread> threads_;  // last: stopped and joined before the rest goes
};

}  // namespace burin::apps
