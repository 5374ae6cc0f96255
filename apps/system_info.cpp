#include "burin/apps/system_info.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "burin/apps/revision.h"
#include "burin/apps/table.h"
#include "burin/kernels/base/parallel.h"
#include "burin/kernels/dispatch.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"

namespace burin::apps {
namespace {

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string memory() {
  const double pages = static_cast<double>(sysconf(_SC_PHYS_PAGES));
  const double page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  return fixed(pages * page_bytes / (1 << 30), 1) + " GiB";
}

std::string loaded_families() {
  std::string text;
  for (const FamilyStatus& status : families()) {
    if (text.find(status.family) != std::string::npos) continue;
    text += (text.empty() ? "" : ", ") + status.family;
    if (!status.loaded) text += " (missing: " + status.reason + ")";
  }
  return text;
}

/// "cuda:0 NVIDIA H200, …" and so on: everything but the CPU, with the index that --device takes.
std::string devices() {
  std::string text;
  for (const DeviceKind kind : {DeviceKind::cuda, DeviceKind::emulator}) {
    const DeviceRuntime* const runtime = registry().device(kind);
    const int count = runtime == nullptr ? 0 : runtime->count();
    for (int i = 0; i < count; ++i) {
      text += str(text.empty() ? "" : "; ", Device{kind, i}, " (", runtime->describe(i), ')');
    }
  }
  return text.empty() ? "none but the CPU" : text;
}

std::string wait_policy() {
  for (const char* const name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}) {
    if (const char* const value = std::getenv(name)) return str(name, "=", value);
  }
  return "libgomp's default";
}

}  // namespace

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

std::vector<std::pair<std::string, std::string>> system_facts() {
  const std::string rules = implementations_in_force();
  return {
      {"burin", release},
      {"revision", revision},
      {"compiler", compiler()},
      {"cpu", cpu_name()},
      {"level", str("x86-64-v", cpu_level())},
      {"threads", str(compute_threads())},
      {"waiting_threads", wait_policy()},
      {"memory", memory()},
      {"families", loaded_families()},
      {"devices", devices()},
      {"implementations", rules.empty() ? "fastest first" : rules},
  };
}

void print_system(std::ostream& out) {
  Table table({"system", ""});
  for (const auto& [name, value] : system_facts()) table.add({name, value});
  table.print(out);
}

Json system_json() {
  Json json = Json::object();
  for (const auto& [name, value] : system_facts()) json.set(name, Json::of(value));
  return json;
}

}  // namespace burin::apps
