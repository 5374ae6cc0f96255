#include "burin/apps/serve/model_queue.h"

#include <algorithm>
#include <future>

#include "burin/kernels/base/parallel.h"

namespace burin::apps {
namespace {

/// Black pictures: the first run makes plans and packs weights.
void warm_up(const std::vector<std::shared_ptr<const ServedModel>>& models) {
  for (const auto& model : models) {
    std::vector<uint8_t> pixels = model->classifier->room_for(1);
    Prediction prediction;
    model->classifier->run(std::move(pixels), {&prediction});
  }
}

}  // namespace

ModelQueue::ModelQueue(const ModelQueueOptions& options,
                       const std::vector<std::shared_ptr<const ServedModel>>& models,
                       ServeMetrics& metrics)
    : options_(options), metrics_(metrics) {
  if (options_.threads == 0) options_.threads = compute_threads();
  std::promise<void> warm;
  threads_.emplace_back([this, &models, &warm](const std::stop_token& stop) {
    try {
      set_compute_threads(options_.threads);
      warm_up(models);
      warm.set_value();
    } catch (...) {
      warm.set_exception(std::current_exception());
      return;
    }
    run_models(stop);
  });
  warm.get_future().get();
  for (int i = 0; i < options_.decoders; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { decode_images(stop); });
  }
}

ModelQueue::~ModelQueue() = default;

bool ModelQueue::submit(std::shared_ptr<PredictJob> job) {
  job->unfinished_ = job->images.size();
  job->predictions.resize(job->images.size());
  if (job->explain) job->cams.resize(job->images.size());
  {
    const std::lock_guard lock(mutex_);
    if (depth_ + job->images.size() > options_.capacity) return false;
    depth_ += job->images.size();
    waiting_.push_back(std::move(job));
  }
  decode_wanted_.notify_all();
  return true;
}

size_t ModelQueue::depth() const {
  const std::lock_guard lock(mutex_);
  return depth_;
}

void ModelQueue::decode_images(const std::stop_token& stop) {
  for (;;) {
    Prepared one;
    bool expired = false;
    {
      std::unique_lock lock(mutex_);
      if (!decode_wanted_.wait(lock, stop, [&] { return !waiting_.empty(); })) return;
      one.job = std::move(waiting_.front());
      waiting_.pop_front();
      one.index = one.job->next_++;
      if (one.job->next_ < one.job->images.size()) waiting_.push_back(one.job);
      expired = HttpClock::now() > one.job->deadline;
      if (expired) one.job->expired = true;
    }
    if (!expired) decode(one);
    {
      const std::lock_guard lock(mutex_);
      prepared_.push_back(std::move(one));
    }
    run_wanted_.notify_one();
  }
}

void ModelQueue::decode(Prepared& one) {
  PredictJob& job = *one.job;
  try {
    const Classifier& classifier = *job.model->classifier;
    one.pixels = classifier.room_for(1);
    Prediction& prediction = job.predictions[one.index];
    prediction = classifier.prepare(job.images[one.index], one.pixels);
    if (!prediction.error.empty()) one.pixels.clear();
  } catch (const std::exception& error) {
    one.pixels.clear();
    const std::lock_guard lock(mutex_);
    job.failure = error.what();
  }
  job.images[one.index] = {};  // the file's bytes are not needed any more
}

void ModelQueue::run_models(const std::stop_token& stop) {
  for (;;) {
    std::vector<Prepared> batch;
    {
      std::unique_lock lock(mutex_);
      if (!run_wanted_.wait(lock, stop, [&] { return !prepared_.empty(); })) return;
      batch = take_batch();
    }
    run(batch);
    finish(batch);
  }
}

/// The oldest image, and with it others for the same model.
std::vector<ModelQueue::Prepared> ModelQueue::take_batch() {
  std::vector<Prepared> batch;
  const ServedModel* const model = prepared_.front().job->model.get();
  for (auto one = prepared_.begin(); one != prepared_.end() && batch.size() < options_.batch;) {
    if (one->job->model.get() == model) {
      batch.push_back(std::move(*one));
      one = prepared_.erase(one);
    } else {
      ++one;
    }
  }
  return batch;
}

void ModelQueue::run(std::vector<Prepared>& batch) {
  std::vector<Prediction*> sound;
  double decode_ms = 0, preprocess_ms = 0, forward_ms = 0;
  for (Prepared& one : batch) {
    if (!one.pixels.empty()) sound.push_back(&one.job->predictions[one.index]);
  }
  if (sound.empty()) return;
  const Classifier& classifier = *batch.front().job->model->classifier;
  try {
    std::vector<uint8_t> pixels = classifier.room_for(sound.size());
    auto room = pixels.begin();
    for (const Prepared& one : batch) room = std::ranges::copy(one.pixels, room).out;
    classifier.run(std::move(pixels), sound);
    for (Prepared& one : batch) {
      if (one.pixels.empty() || !one.job->explain) continue;
      one.job->cams[one.index] =
          classifier.explain(std::move(one.pixels), {.target = one.job->target});
    }
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    for (const Prepared& one : batch) one.job->failure = error.what();
    return;
  }
  for (const Prediction* const prediction : sound) {
    decode_ms += prediction->decode_ms;
    preprocess_ms += prediction->preprocess_ms;
    forward_ms += prediction->forward_ms;
  }
  metrics_.batch(sound.size(), decode_ms, preprocess_ms, forward_ms);
}

void ModelQueue::finish(const std::vector<Prepared>& batch) {
  std::vector<std::shared_ptr<PredictJob>> finished;
  {
    const std::lock_guard lock(mutex_);
    depth_ -= batch.size();
    for (const Prepared& one : batch) {
      if (--one.job->unfinished_ == 0) finished.push_back(one.job);
    }
  }
  for (const auto& job : finished) job->done(*job);
}

}  // namespace burin::apps
