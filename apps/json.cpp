#include "burin/apps/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "burin/kernels/base/error.h"

namespace burin::apps {

using nlohmann::ordered_json;

Json::Json() : value_(std::make_unique<ordered_json>()) {}
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

Json Json::object() {
  Json json;
  *json.value_ = ordered_json::object();
  return json;
}

Json Json::array() {
  Json json;
  *json.value_ = ordered_json::array();
  return json;
}

Json Json::of(bool value) {
  Json json;
  *json.value_ = value;
  return json;
}

Json Json::of(int64_t value) {
  Json json;
  *json.value_ = value;
  return json;
}

Json Json::of(std::string_view value) {
  Json json;
  *json.value_ = value;
  return json;
}

Json Json::of(const std::vector<std::string>& values) {
  Json json;
  *json.value_ = values;
  return json;
}

Json Json::of(double value, int decimals) {
  const double scale = std::pow(10.0, decimals);
  Json json;
  *json.value_ = std::round(value * scale) / scale;
  return json;
}

Json Json::parse(std::string_view text, const std::string& name) {
  // Not ordered_json's own parser: it looks through all keys of an object for each further one.
  const auto check_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    constexpr int deepest = 64;
    check(depth <= deepest, name, ": is nested deeper than ", deepest, " levels");
    return true;
  };
  const nlohmann::json sorted = nlohmann::json::parse(text, check_depth, false);
  check(!sorted.is_discarded(), name, ": is no JSON");
  Json json;
  *json.value_ = sorted;
  return json;
}

std::optional<double> Json::number(const std::string& place) const {
  const ordered_json::json_pointer pointer(place);
  if (!value_->contains(pointer) || !value_->at(pointer).is_number()) return std::nullopt;
  return value_->at(pointer).get<double>();
}

std::optional<std::string> Json::string(const std::string& place) const {
  const ordered_json::json_pointer pointer(place);
  if (!value_->contains(pointer) || !value_->at(pointer).is_string()) return std::nullopt;
  return value_->at(pointer).get<std::string>();
}

std::vector<std::string> Json::strings(const std::string& place) const {
  const ordered_json::json_pointer pointer(place);
  if (!value_->contains(pointer) || !value_->at(pointer).is_array()) return {};
  std::vector<std::string> strings;
  for (const ordered_json& value : value_->at(pointer)) {
    if (value.is_string()) strings.push_back(value.get<std::string>());
  }
  return strings;
}

Json& Json::set(const std::string& key, Json value) {
  (*value_)[key] = std::move(*value.value_);
  return *this;
}

Json& Json::push(Json value) {
  value_->push_back(std::move(*value.value_));
  return *this;
}

std::string Json::text(int indent) const {
  return value_->dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

std::string json_place(std::string_view key) {
  std::string place = "/";
  for (const char c : key) {
    if (c == '~') {
      place += "~0";
    } else if (c == '/') {
      place += "~1";
    } else {
      place += c;
    }
  }
  return place;
}

bool is_json_text(const std::string& text) {
  try {
    ordered_json(text).dump();
    return true;
  } catch (const ordered_json::exception&) {
    return false;
  }
}

}  // namespace burin::apps
