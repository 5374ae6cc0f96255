#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "burin/apps/serve/examples.h"
#include "burin/apps/serve/model_card.h"
#include "burin/apps/serve/model_queue.h"

namespace burin::apps {

struct ApiLimits {
  int64_t upload_bytes = 10 << 20;  // images of one request together
  size_t files = 16;                // in one request
  int64_t deadline_ms = 25'000;     // from a request's first line until the model takes it up
};

/// What ApiServer serves.
struct ApiContent {
  std::vector<std::shared_ptr<const ServedModel>> models;  // the first is the default
  std::vector<ServedModelCard> cards;                      // one for each
  std::vector<ExampleImage> examples;
  std::vector<std::string> allowed_hosts;
  bool metrics = false;  // whether /metrics answers
};

/// The routes: the page's files, the JSON API, health and metrics.
class ApiServer : public HttpService {
 public:
  ApiServer(ApiContent content, const ApiLimits& limits, ModelQueue& queue, ServeMetrics& metrics);

  BodyLimit admit(const HttpRequest& head) override;
  void handle(HttpRequest request, HttpAnswer answer) override;
  void ended(const HttpRequest& head, int status, double seconds) override;

  /// From now on /readyz says 503, so that no new work is sent here.
  void stop_being_ready() { ready_ = false; }

 private:
  struct Route;
  static const Route routes[];

  static const Route* find_route(const std::string& path);
  const std::shared_ptr<const ServedModel>& find_model(const HttpRequest& request) const;
  HttpResponse answer_get(const Route& route, const HttpRequest& request) const;
  HttpResponse get_model(const HttpRequest& request) const;
  HttpResponse get_examples(const HttpRequest& request) const;
  HttpResponse get_example(const HttpRequest& request) const;
  HttpResponse get_health(const HttpRequest& request) const;
  HttpResponse get_ready(const HttpRequest& request) const;
  HttpResponse get_metrics(const HttpRequest& request) const;
  HttpResponse get_asset(const HttpRequest& request) const;
  /// Takes `answer` along where the job is in the queue; leaves it where it throws.
  void predict(HttpRequest& request, HttpAnswer& answer);
  PredictJob read_job(const HttpRequest& request, size_t& topk) const;

  ApiContent content_;
  ApiLimits limits_;
  ModelQueue& queue_;
  ServeMetrics& metrics_;
  std::atomic<bool> ready_{true};
};

}  // namespace burin::apps
