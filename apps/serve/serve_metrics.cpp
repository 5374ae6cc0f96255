#include "burin/apps/serve/serve_metrics.h"

#include <algorithm>
#include <sstream>

namespace burin::apps {
namespace {

/// A label's value, with what Prometheus wants escaped.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + '"';
}

void write_heading(std::ostream& out, const char* name, const char* type, const char* help) {
  out << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n';
}

/// `labels`: "" or "route=\"/\"".
void write_histogram(std::ostream& out, const std::string& name, const std::string& labels,
                     const Histogram& histogram) {
  const std::string comma = labels.empty() ? "" : ",";
  const std::string braced = labels.empty() ? "" : "{" + labels + "}";
  uint64_t below = 0;
  for (size_t i = 0; i < histogram.bounds.size(); ++i) {
    below += histogram.counts[i];
    out << name << "_bucket{" << labels << comma << "le=\"" << histogram.bounds[i] << "\"} "
        << below << '\n';
  }
  out << name << "_bucket{" << labels << comma << "le=\"+Inf\"} " << histogram.total << '\n'
      << name << "_sum" << braced << ' ' << histogram.sum << '\n'
      << name << "_count" << braced << ' ' << histogram.total << '\n';
}

}  // namespace

void Histogram::add(double value) {
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
  if (bound != bounds.end()) ++counts[static_cast<size_t>(bound - bounds.begin())];
  ++total;
  sum += value;
}

void ServeMetrics::request(const std::string& route, int status, double seconds) {
  const std::lock_guard lock(mutex_);
  Route& entry = routes_[route];
  ++entry.by_status[status];
  entry.seconds.add(seconds);
}

void ServeMetrics::rejected(const std::string& code) {
  const std::lock_guard lock(mutex_);
  ++rejected_[code];
}

void ServeMetrics::batch(size_t images, double decode_ms, double preprocess_ms, double forward_ms) {
  const std::lock_guard lock(mutex_);
  batch_images_.add(static_cast<double>(images));
  stage_seconds_[0] += decode_ms / 1000;
  stage_seconds_[1] += preprocess_ms / 1000;
  stage_seconds_[2] += forward_ms / 1000;
}

void ServeMetrics::model_loaded(const std::string& name, double seconds) {
  const std::lock_guard lock(mutex_);
  load_seconds_[name] = seconds;
}

std::string ServeMetrics::text(size_t queue_depth) const {
  const std::lock_guard lock(mutex_);
  std::ostringstream out;
  write_heading(out, "burin_http_requests_total", "counter",
                "Requests that ended, by route and status (0: the connection broke).");
  for (const auto& [name, route] : routes_) {
    for (const auto& [status, count] : route.by_status) {
      out << "burin_http_requests_total{route=" << quoted(name) << ",status=\"" << status << "\"} "
          << count << '\n';
    }
  }
  write_heading(out, "burin_http_request_seconds", "histogram",
                "From a request's first line to its end.");
  for (const auto& [name, route] : routes_) {
    write_histogram(out, "burin_http_request_seconds", "route=" + quoted(name), route.seconds);
  }
  write_heading(out, "burin_rejected_total", "counter", "Requests refused, by reason.");
  for (const auto& [code, count] : rejected_) {
    out << "burin_rejected_total{code=" << quoted(code) << "} " << count << '\n';
  }
  write_heading(out, "burin_queue_images", "gauge", "Images that wait for the model.");
  out << "burin_queue_images " << queue_depth << '\n';
  write_heading(out, "burin_batch_images", "histogram", "Images in one run of the model.");
  write_histogram(out, "burin_batch_images", "", batch_images_);
  write_heading(out, "burin_stage_seconds_total", "counter",
                "Time spent on images, added up, by stage.");
  const char* const stages[] = {"decode", "preprocess", "forward"};
  for (size_t i = 0; i < stage_seconds_.size(); ++i) {
    out << "burin_stage_seconds_total{stage=\"" << stages[i] << "\"} " << stage_seconds_[i] << '\n';
  }
  write_heading(out, "burin_model_load_seconds", "gauge", "What loading a model took.");
  for (const auto& [name, seconds] : load_seconds_) {
    out << "burin_model_load_seconds{model=" << quoted(name) << "} " << seconds << '\n';
  }
  return out.str();
}

}  // namespace burin::apps
