#include "burin/apps/serve/api.h"

#include <algorithm>
#include <charconv>

#include "burin/apps/prediction_report.h"
#include "burin/apps/serve/assets.h"
#include "burin/apps/serve/heat_map.h"
#include "burin/apps/serve/multipart.h"
#include "burin/version.h"

namespace burin::apps {
namespace {

constexpr int64_t form_overhead = 64 << 10;  // boundaries and headers around the images

const char* type_of_asset(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/json";
}

/// The query's `name` as a whole number from `low` to `high`, or `standard` where it is not given.
int64_t number_in(const HttpRequest& request, const std::string& name, int64_t low, int64_t high,
                  int64_t standard) {
  const auto given = request.query.find(name);
  if (given == request.query.end()) return standard;
  const std::string& text = given->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw HttpError(400, "bad_request",
                    str(name, " must be ", low, " to ", high, ", not '", text, "'"));
  }
  return value;
}

/// Refuses a misspelt parameter instead of ignoring it.
void check_query(const HttpRequest& request, const std::vector<std::string>& known) {
  for (const auto& [name, value] : request.query) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw HttpError(400, "bad_request", str("unknown parameter '", name, "'"));
    }
  }
}

/// The class that the query's `target` names, or −1 where there is none.
int64_t find_class(const HttpRequest& request, const std::vector<std::string>& classes) {
  const auto given = request.query.find("target");
  if (given == request.query.end() || given->second.empty()) return -1;
  const auto found = std::find(classes.begin(), classes.end(), given->second);
  if (found == classes.end()) {
    throw HttpError(400, "bad_request", str("target: there is no class '", given->second, "'"));
  }
  return found - classes.begin();
}

bool is_image_type(const std::string& type) {
  return type.starts_with("image/") || type.starts_with("application/octet-stream");
}

InputImage make_image(std::string_view name, std::string_view content) {
  return {std::string(name), std::vector<uint8_t>(content.begin(), content.end())};
}

/// The images of a form, or of a body that is one.
std::vector<InputImage> images_of(const HttpRequest& request, size_t most) {
  const std::string& type = request.header("content-type");
  if (!is_multipart(type)) return {make_image("image", request.body)};
  std::vector<InputImage> images;
  std::vector<FormPart> parts;
  try {
    parts = parse_multipart(type, request.body);
  } catch (const Error& error) {
    throw HttpError(400, "bad_multipart", error.what());
  }
  for (const FormPart& part : parts) {
    if (part.name != "image") {
      throw HttpError(400, "bad_request",
                      str("unknown field '", part.name, "': images are 'image'"));
    }
    if (images.size() == most) {
      throw HttpError(413, "too_many_files", str("more than ", most, " images in one request"),
                      static_cast<int64_t>(most));
    }
    images.push_back(make_image(part.filename.empty() ? "image" : part.filename, part.content));
  }
  if (images.empty()) throw HttpError(400, "bad_request", "there is no field 'image' in the form");
  return images;
}

HttpResponse json_response(const Json& document) {
  return {200, "application/json", document.text(), {}};
}

/// What is wrong with an image, as the error of a whole request or of one of its results.
HttpError error_of(const Prediction& prediction) {
  const data::Defect defect = prediction.defect.value_or(data::Defect::corrupt);
  if (defect == data::Defect::unsupported) return {415, "not_an_image", prediction.error};
  if (defect == data::Defect::empty) return {422, "empty_image", prediction.error};
  if (defect == data::Defect::too_large) {
    return {422, "too_many_pixels", prediction.error, data::DecodeOptions{}.max_pixels};
  }
  return {422, "broken_image", prediction.error};
}

double milliseconds_since(HttpClock::time_point start) {
  return std::chrono::duration<double, std::milli>(HttpClock::now() - start).count();
}

/// The heat map, the class it explains, and the part of the image that it covers.
void add_gradcam(Json& result, const PredictJob& job, size_t image) {
  const models::GradCam& cam = job.cams[image];
  const Prediction& prediction = job.predictions[image];
  const Classifier& classifier = *job.model->classifier;
  result.set("gradcam", Json::of(heat_map_url(cam, classifier.preprocess().crop)));
  const std::string& name = classifier.classes()[static_cast<size_t>(cam.target)];
  result.set("gradcam_class", Json::of(name));
  Json box = Json::array();
  for (const double value :
       seen_part(classifier.preprocess(), prediction.width, prediction.height)) {
    box.push(Json::of(value, 2));
  }
  result.set("gradcam_box", std::move(box));
}

/// The answer to a job that is done. One bad image among others is told of in its place; where no
/// image is good, the request as a whole has failed.
HttpResponse answer_of(const PredictJob& job, size_t topk, HttpClock::time_point body_here) {
  if (job.expired) return response_of(busy("the model could not take this image up in time"));
  if (!job.failure.empty()) return response_of({500, "internal", job.failure});
  const auto& first = job.predictions.front();
  const bool any = std::any_of(job.predictions.begin(), job.predictions.end(),
                               [](const Prediction& one) { return one.error.empty(); });
  if (!any) return response_of(error_of(first));

  Json results = Json::array();
  for (size_t i = 0; i < job.predictions.size(); ++i) {
    const Prediction& prediction = job.predictions[i];
    if (prediction.error.empty()) {
      Json result = prediction_json(prediction, job.model->classifier->classes(), topk);
      if (job.explain) add_gradcam(result, job, i);
      results.push(std::move(result));
    } else {
      const HttpError error = error_of(prediction);
      Json what = Json::object();
      what.set("code", Json::of(error.code)).set("message", Json::of(error.what()));
      Json result = Json::object();
      result.set("file", Json::of(prediction.name)).set("error", std::move(what));
      results.push(std::move(result));
    }
  }
  Json document = Json::object();
  document.set("model", Json::of(job.model->name)).set("results", std::move(results));
  document.set("ms_total", Json::of(milliseconds_since(body_here), 2));
  return json_response(document);
}

/// The same from a thread of the queue, which no exception may end.
HttpResponse answer_or_failure(const PredictJob& job, size_t topk,
                               HttpClock::time_point body_here) {
  try {
    return answer_of(job, topk, body_here);
  } catch (const std::exception& error) {
    return response_of({500, "internal", error.what()});
  }
}

}  // namespace

struct ApiServer::Route {
  const char* path;  // a last '*' stands for any rest
  const char* methods;
  HttpResponse (ApiServer::*get)(const HttpRequest&) const;  // null for predict
};

const ApiServer::Route ApiServer::routes[] = {
    {"/api/v1/predict", "POST", nullptr},
    {"/api/v1/model", "GET, HEAD", &ApiServer::get_model},
    {"/api/v1/examples", "GET, HEAD", &ApiServer::get_examples},
    {"/examples/*", "GET, HEAD", &ApiServer::get_example},
    {"/healthz", "GET, HEAD", &ApiServer::get_health},
    {"/readyz", "GET, HEAD", &ApiServer::get_ready},
    {"/metrics", "GET, HEAD", &ApiServer::get_metrics},
    {"/openapi.json", "GET, HEAD", &ApiServer::get_asset},
    {"/assets/*", "GET, HEAD", &ApiServer::get_asset},
    {"/", "GET, HEAD", &ApiServer::get_asset},
};

ApiServer::ApiServer(ApiContent content, const ApiLimits& limits, ModelQueue& queue,
                     ServeMetrics& metrics)
    : content_(std::move(content)), limits_(limits), queue_(queue), metrics_(metrics) {}

const ApiServer::Route* ApiServer::find_route(const std::string& path) {
  for (const Route& route : routes) {
    const std::string_view pattern = route.path;
    const bool open = pattern.ends_with('*');
    const std::string_view fixed = pattern.substr(0, pattern.size() - (open ? 1 : 0));
    if (open ? path.starts_with(fixed) : path == fixed) return &route;
  }
  return nullptr;
}

BodyLimit ApiServer::admit(const HttpRequest& head) {
  // HTTP/1.0 has no Host: health checks leave it out, browsers never do.
  const bool from_a_page = head.headers.count("host") > 0;
  if (from_a_page && !is_host_allowed(head.header("host"), content_.allowed_hosts)) {
    throw HttpError(400, "bad_host",
                    "the Host header names a host that is not served here (--allow-host)");
  }
  const Route* const route = find_route(head.path);
  if (route == nullptr) throw HttpError(404, "not_found", str("nothing is at ", head.path));
  const std::string methods = route->methods;
  const bool known = (", " + methods + ",").find(", " + head.method + ",") != std::string::npos;
  if (!known) {
    HttpError error(405, "method_not_allowed", str(head.method, " is not for ", head.path));
    error.allow = methods;
    throw error;
  }
  if (route->get != nullptr) return {};

  const std::string& type = head.header("content-type");
  if (!is_multipart(type) && !is_image_type(type)) {
    throw HttpError(415, "unsupported_media_type",
                    "send multipart/form-data with fields 'image', or one image as the body with "
                    "its type (image/jpeg)");
  }
  if (head.header("content-length").empty() && head.header("transfer-encoding").empty()) {
    throw HttpError(411, "length_required", "there is no body, or no Content-Length");
  }
  return {limits_.upload_bytes + (is_multipart(type) ? form_overhead : 0), limits_.upload_bytes};
}

void ApiServer::handle(HttpRequest request, HttpAnswer answer) {
  try {
    const Route* const route = find_route(request.path);
    check(route != nullptr, "no route for ", request.path);
    if (route->get == nullptr) {
      predict(request, answer);
    } else {
      answer((this->*route->get)(request));
    }
  } catch (const HttpError& error) {
    answer(response_of(error));
  } catch (const std::exception& error) {  // no memory, say: what called us is C
    answer(response_of({500, "internal", error.what()}));
  }
}

void ApiServer::ended(const HttpRequest& head, int status, double seconds) {
  const Route* const route = find_route(head.path);
  metrics_.request(route == nullptr ? "other" : route->path, status, seconds);
  if (status == 413 || status == 414) metrics_.rejected("too_large");
  if (status == 429) metrics_.rejected("too_many_requests");
  if (status == 503) metrics_.rejected("busy");
}

const std::shared_ptr<const ServedModel>& ApiServer::find_model(const HttpRequest& request) const {
  const auto given = request.query.find("model");
  if (given == request.query.end()) return content_.models.front();
  for (const auto& model : content_.models) {
    if (model->name == given->second) return model;
  }
  throw HttpError(400, "bad_request", str("there is no model '", given->second, "' here"));
}

PredictJob ApiServer::read_job(const HttpRequest& request, size_t& topk) const {
  check_query(request, {"model", "topk", "gradcam", "target"});
  PredictJob job;
  job.model = find_model(request);
  const auto classes = static_cast<int64_t>(job.model->classifier->classes().size());
  topk = static_cast<size_t>(number_in(request, "topk", 1, classes, std::min<int64_t>(2, classes)));
  job.explain = number_in(request, "gradcam", 0, 1, 0) == 1;
  job.target = find_class(request, job.model->classifier->classes());
  job.images = images_of(request, limits_.files);
  size_t bytes = 0;
  for (const InputImage& image : job.images) bytes += image.bytes->size();
  if (bytes > static_cast<size_t>(limits_.upload_bytes)) {
    throw too_large(limits_.upload_bytes);
  }
  job.deadline = request.arrived + std::chrono::milliseconds(limits_.deadline_ms);
  return job;
}

void ApiServer::predict(HttpRequest& request, HttpAnswer& answer) {
  const HttpClock::time_point body_here = HttpClock::now();
  size_t topk = 0;
  const auto job = std::make_shared<PredictJob>(read_job(request, topk));
  request.body = {};
  const auto slot = std::make_shared<std::optional<HttpAnswer>>(std::move(answer));
  job->done = [topk, body_here, slot](const PredictJob& done) {
    (**slot)(answer_or_failure(done, topk, body_here));
  };
  if (!queue_.submit(job)) (**slot)(response_of(busy("too many images are waiting")));
}

HttpResponse ApiServer::get_model(const HttpRequest& request) const {
  check_query(request, {"model"});
  const std::string& name = find_model(request)->name;
  Json document = Json::object();
  Json models = Json::array();
  for (const ServedModelCard& card : content_.cards) {
    if (card.name == name) document.set("model", card.json());
    models.push(card.json());
  }
  Json limits = Json::object();
  limits.set("upload_bytes", Json::of(limits_.upload_bytes));
  limits.set("pixels", Json::of(data::DecodeOptions{}.max_pixels));
  limits.set("files", Json::of(static_cast<int64_t>(limits_.files)));
  document.set("models", std::move(models)).set("limits", std::move(limits));
  document.set("release", Json::of(release));
  return json_response(document);
}

HttpResponse ApiServer::get_examples(const HttpRequest& request) const {
  check_query(request, {});
  Json examples = Json::array();
  for (const ExampleImage& example : content_.examples) {
    Json one = Json::object();
    one.set("name", Json::of(example.name)).set("url", Json::of("/examples/" + example.name));
    examples.push(std::move(one));
  }
  Json document = Json::object();
  document.set("examples", std::move(examples));
  return json_response(document);
}

HttpResponse ApiServer::get_example(const HttpRequest& request) const {
  for (const ExampleImage& example : content_.examples) {
    if (request.path != "/examples/" + example.name) continue;
    return {200, example.type, example.bytes, {{"Cache-Control", "max-age=3600"}}};
  }
  throw HttpError(404, "not_found", str("there is no ", request.path));
}

HttpResponse ApiServer::get_health(const HttpRequest& /*request*/) const {
  return {200, "application/json", R"({"status":"ok"})", {}};
}

HttpResponse ApiServer::get_ready(const HttpRequest& /*request*/) const {
  if (!ready_) throw HttpError(503, "stopping", "the server is being stopped");
  if (queue_.depth() >= queue_.capacity()) throw busy("too many images are waiting");
  return {200, "application/json", R"({"status":"ready"})", {}};
}

HttpResponse ApiServer::get_metrics(const HttpRequest& request) const {
  if (!content_.metrics) throw HttpError(404, "not_found", str("there is no ", request.path));
  return {200, "text/plain; version=0.0.4", metrics_.text(queue_.depth()), {}};
}

HttpResponse ApiServer::get_asset(const HttpRequest& request) const {
  const std::string_view path = request.path;
  const std::string_view name = path == "/" ? "page.html" : path.substr(path.rfind('/') + 1);
  for (const Asset& asset : web_assets()) {
    if (asset.name != name) continue;
    return {200, type_of_asset(name), std::string(asset.content), {{"Cache-Control", "no-cache"}}};
  }
  throw HttpError(404, "not_found", str("there is no ", request.path));
}

}  // namespace burin::apps
