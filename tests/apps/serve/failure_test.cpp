// A request that fails for reasons of the server's own is answered 500, and the next one as ever.
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "burin/apps/serve/api.h"
#include "burin/data/encode.h"
#include "burin/models/catalog.h"
#include "burin/tensor/random.h"

namespace burin::apps {
namespace {

/// Finds every image the same, and has no memory for it where `fails`.
struct MoodyModel final : models::Model {
  MoodyModel() {
    classes = 2;
    preprocess = {.resize = 8, .crop = 8};
  }
  void replace_head(int64_t /*classes*/, Generator& /*generator*/) override {}
  std::string head_prefix() const override { return "head."; }
  int64_t feature_count() const override { return 2; }
  void visit(nn::Visitor& /*visitor*/) override {}
  std::string describe() const override { return "MoodyModel"; }

  std::atomic<bool> fails{false};

 protected:
  Tensor extract(const Tensor& x) override {
    if (fails) throw OutOfMemory("cpu: no memory for this image");
    return zeros({x.dim(0), 2});
  }
  Tensor own_head(const Tensor& features) override { return features; }
};

/// What a server makes of a model, but for the sockets.
class Served {
 public:
  explicit Served(std::unique_ptr<models::Model> model) {
    LoadedModel loaded{.card = {}, .path = "model", .device = Device::cpu()};
    nn::set_training(*model, false);
    loaded.card.model = std::move(model);
    loaded.card.classes = {"ai", "real"};
    ApiContent content;
    content.models.push_back(std::make_shared<const ServedModel>(
        ServedModel{"model", std::make_unique<Classifier>(std::move(loaded))}));
    queue_ = std::make_unique<ModelQueue>(ModelQueueOptions{}, content.models, metrics_);
    api_ = std::make_unique<ApiServer>(std::move(content), ApiLimits{}, *queue_, metrics_);
  }
  HttpResponse predict(const std::map<std::string, std::string>& query = {}) {
    const std::vector<uint8_t> png = data::encode_png(data::Image(10, 10));
    HttpRequest request{.method = "POST",
                        .path = "/api/v1/predict",
                        .query = query,
                        .headers = {{"content-type", "image/png"}},
                        .body = {png.begin(), png.end()},
                        .arrived = HttpClock::now()};
    std::promise<HttpResponse> response;
    api_->handle(std::move(request),
                 HttpAnswer([&](HttpResponse one) { response.set_value(one); }));
    return response.get_future().get();
  }

 private:
  ServeMetrics metrics_;
  std::unique_ptr<ModelQueue> queue_;
  std::unique_ptr<ApiServer> api_;
};

TEST(ServeFailure, OfTheModelIsAnsweredAndForgotten) {
  auto model = std::make_unique<MoodyModel>();
  MoodyModel& moody = *model;
  Served served(std::move(model));
  moody.fails = true;
  const HttpResponse failed = served.predict();
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body,
            R"({"error":{"code":"internal","message":"cpu: no memory for this image"}})");
  moody.fails = false;
  EXPECT_EQ(served.predict().status, 200);
}

TEST(ServeFailure, OfTheAnswerIsAnsweredToo) {
  Generator generator(1);
  std::unique_ptr<models::Model> model = models::make_model("resnet20", 2, generator);
  model->preprocess = {.resize = 32, .crop = 32};
  models::Preprocess& preprocess = model->preprocess;
  Served served(std::move(model));
  preprocess.crop = int64_t{1} << 31;  // the heat map's side, which no memory holds
  const HttpResponse failed = served.predict({{"gradcam", "1"}});
  EXPECT_EQ(failed.status, 500);
  EXPECT_NE(failed.body.find("internal"), std::string::npos) << failed.body;
  preprocess.crop = 32;
  EXPECT_EQ(served.predict({{"gradcam", "1"}}).status, 200);
}

}  // namespace
}  // namespace burin::apps
