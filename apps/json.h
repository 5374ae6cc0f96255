#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace burin::apps {

/// A JSON document, in the making or read. A thin coat over nlohmann's, which takes seconds to
/// compile and is included by json.cpp alone. Keys keep the order in which they were set; bytes
/// that are no UTF-8 (file names) are replaced when it is written, NaN becomes null.
class Json {
 public:
  Json();
  Json(Json&&) noexcept;
  Json& operator=(Json&&) noexcept;
  ~Json();

  static Json object();
  static Json array();
  static Json of(bool value);
  static Json of(int64_t value);
  static Json of(std::string_view value);
  static Json of(const char* value) { return of(std::string_view(value)); }
  static Json of(const std::vector<std::string>& values);
  /// Rounded, because 0.1f would be written as 0.10000000149011612.
  static Json of(double value, int decimals);

  /// Throws Error for a text that is no JSON or is nested deeper than 64 levels; `name` is the
  /// file's, for the message.
  static Json parse(std::string_view text, const std::string& name);
  /// The number, the string or the list of strings at a place, "/classes/ai/f1"; nothing where it
  /// is not there.
  /// A key with ~ or / in it is part of a place as json_place writes it.
  std::optional<double> number(const std::string& place) const;
  std::optional<std::string> string(const std::string& place) const;
  std::vector<std::string> strings(const std::string& place) const;

  Json& set(const std::string& key, Json value);
  Json& push(Json value);

  /// On one line, or indented.
  std::string text(int indent = -1) const;

 private:
  std::unique_ptr<nlohmann::ordered_json> value_;
};

/// "/key", escaped after RFC 6901.
std::string json_place(std::string_view key);

/// Whether JSON can hold the text as it is: whether it is UTF-8.
bool is_json_text(const std::string& text);

}  // namespace burin::apps
