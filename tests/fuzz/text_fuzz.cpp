#include <string>
#include <string_view>

#include "burin/apps/json.h"
#include "burin/apps/printable.h"
#include "burin/apps/serve/http.h"
#include "burin/apps/toml.h"
#include "burin/apps/training/epoch_line.h"
#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

void expect(bool holds) {
  if (!holds) __builtin_trap();
}

/// What was read means the same when it is written and read again.
void read_toml(std::string_view text) {
  for (const TomlEntry& entry : parse_toml(text, "input")) {
    for (const std::string& value : entry.values) {
      const std::string line = toml_string(entry.key) + " = " + toml_string(value);
      const TomlEntry again = parse_toml(line, "again").at(0);
      expect(again.key == entry.key && again.values.at(0) == value);
    }
  }
}

void read_results(std::string_view text) {
  for (const char separator : {',', ' '}) {
    const auto epoch = read_epoch(text, separator);
    expect(!epoch || epoch->epoch >= 1);
  }
}

/// The places that compare looks at.
void read_json(std::string_view text) {
  const Json json = Json::parse(text, "input");
  for (const std::string& name : json.strings("/labels")) {
    json.number("/classes" + json_place(name) + "/auc");
  }
  json.number("/confusion/0/1");
  json.string("/data_fingerprint");
  Json::parse(json.text(), "again");
}

void show(std::string_view text) {
  const std::string shown = printable(text);
  expect(is_json_text(shown) && printable(shown) == shown);
}

}  // namespace
}  // namespace burin::apps

/// After a letter that says what the bytes are: TOML, a line of results, JSON, a Host header, a
/// name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace burin::apps;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] == 't') read_toml(text);
    if (data[0] == 'r') read_results(text);
    if (data[0] == 'j') read_json(text);
    if (data[0] == 'h') is_host_allowed(text, {"example.org"});
    if (data[0] == 'n') show(text);
  } catch (const burin::Error&) {
    return 0;
  }
  return 0;
}
