#include "burin/apps/options.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

#include "burin/apps/exit.h"
#include "burin/apps/toml.h"

namespace burin::apps {
namespace {

std::optional<double> read_number(const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

template <class T>
std::optional<T> read_whole(const std::string& text) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::optional<bool> read_bool(const std::string& text) {
  for (const char* const yes : {"true", "1", "yes", "on"}) {
    if (text == yes) return true;
  }
  for (const char* const no : {"false", "0", "no", "off", ""}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

/// A rule over numbers; what is no number is left to the type's own message.
Rule number_rule(const std::string& words, std::function<bool(double)> holds) {
  return {words, [holds = std::move(holds)](const std::string& text) {
            const std::optional<double> value = read_number(text);
            return !value || holds(*value);
          }};
}

/// Stores `text` in the target; or returns what it should have been.
struct Store {
  const std::string& text;

  template <class T>
  std::string store(T* target, const std::optional<T>& value, const char* wanted) const {
    if (!value) return wanted;
    *target = *value;
    return "";
  }
  std::string operator()(int* target) const {
    return store(target, read_whole<int>(text), "a whole number");
  }
  std::string operator()(uint64_t* target) const {
    return store(target, read_whole<uint64_t>(text), "a whole number, 0 or more");
  }
  std::string operator()(double* target) const {
    return store(target, read_number(text), "a number");
  }
  std::string operator()(bool* target) const {
    return store(target, read_bool(text), "true or false");
  }
  std::string operator()(std::string* target) const {
    *target = text;
    return "";
  }
  std::string operator()(std::vector<std::string>* target) const {
    target->push_back(text);
    return "";
  }
};

struct AsToml {
  std::string operator()(const int* value) const { return std::to_string(*value); }
  std::string operator()(const uint64_t* value) const { return std::to_string(*value); }
  std::string operator()(const double* value) const {
    char buffer[32];  // the shortest decimal that reads back as the same double has at most 24
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), *value);
    return std::string(buffer, end);
  }
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::string* value) const { return toml_string(*value); }
  std::string operator()(const std::vector<std::string>* values) const {
    std::string list;
    for (const std::string& value : *values) {
      list += (list.empty() ? "" : ", ") + toml_string(value);
    }
    return "[" + list + "]";
  }
};

/// The parts of "-e,--epochs".
std::vector<std::string> spellings(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

}  // namespace

Rule at_least(double low) {
  return number_rule(str("at least ", low), [low](double v) { return v >= low; });
}
Rule above(double low) {
  return number_rule(str("above ", low), [low](double v) { return v > low; });
}
Rule between(double low, double high) {
  return number_rule(str("from ", low, " to ", high),
                     [low, high](double v) { return v >= low && v <= high; });
}
Rule zero_or_between(double low, double high) {
  return number_rule(str("0, or from ", low, " to ", high),
                     [low, high](double v) { return v == 0 || (v >= low && v <= high); });
}
Rule one_of(const std::vector<std::string>& words) {
  return {"one of " + listed(words), [words](const std::string& text) {
            return std::find(words.begin(), words.end(), text) != words.end();
          }};
}

std::string Option::name() const {
  std::string bare;
  for (const std::string& part : spellings(spelling)) {
    if (part.starts_with("--")) return part.substr(2);
    if (!part.starts_with("-")) bare = part;
  }
  return bare;
}

std::string Option::flag() const {
  std::string long_flag = "--" + name();
  for (const std::string& part : spellings(spelling)) {
    if (part == long_flag) return long_flag;
  }
  std::string capitals = name();
  for (char& c : capitals) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return capitals;
}

std::string Option::environment() const {
  if (!flag().starts_with("--")) return "";
  std::string variable = "BURIN_";
  for (const char c : name()) {
    variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return variable;
}

void Option::assign(const std::vector<std::string>& values, const std::string& source) const {
  if (auto* const list = std::get_if<std::vector<std::string>*>(&target)) (*list)->clear();
  for (const std::string& text : values) {
    const std::string wanted = std::visit(Store{text}, target);
    if (!wanted.empty()) throw Failure(exit_usage, str(source, ": '", text, "' is not ", wanted));
    if (rule.holds && !rule.holds(text)) {
      throw Failure(exit_usage, str(source, ": '", text, "' must be ", rule.words));
    }
  }
}

std::string Option::toml_value() const {
  return std::visit(AsToml{}, target);
}

Option& Command::add(std::string spelling, Target target, std::string help, Rule rule) {
  options.push_back({std::move(spelling), target, std::move(help), std::move(rule), heading_});
  return options.back();
}

}  // namespace burin::apps
