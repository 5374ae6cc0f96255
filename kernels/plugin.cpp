#include "burin/kernels/plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace burin {

void register_cpu(Registry& registry);  // generated: the built-in family

namespace {

namespace fs = std::filesystem;

/// The registry and how it came to be, built once under the lock of a function-local static.
struct Loaded {
  Registry registry;
  std::vector<FamilyStatus> families;
  int cpu_level = built_in_cpu_level;

  Loaded();
  void load_cpu();
  void load_linked_in();
  void load_families();
  void load_user_plugins();
  bool load(const fs::path& path, FamilyStatus& status);
  bool load_from(void* library, FamilyStatus& status);
};

/// The folder that holds this library: the families lie beside it.
fs::path library_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&register_cpu), &info) == 0) return {};
  std::error_code ignored;
  const fs::path real = fs::canonical(info.dli_fname, ignored);
  return (real.empty() ? fs::path(info.dli_fname) : real).parent_path();
}

/// "libburin_family_onednn.so" → "onednn"; another file's stem as it is.
std::string family_of_file(const fs::path& path) {
  const std::string stem = path.stem().string(), prefix = "libburin_family_";
  return stem.starts_with(prefix) ? stem.substr(prefix.size()) : stem;
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Highest x86-64 level this CPU has, at most the one asked for with BURIN_CPU_LEVEL.
int wanted_cpu_level() {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                  __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0;
  const bool v4 =
      v3 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512cd") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0;
  const int level = v4 ? 4 : v3 ? 3 : 2;
  const std::string asked = environment("BURIN_CPU_LEVEL");
  if (asked.empty()) return level;
  check(asked == "v2" || asked == "v3" || asked == "v4", "BURIN_CPU_LEVEL: '", asked,
        "' is none of v2, v3, v4");
  return std::min(level, asked[1] - '0');
}

Loaded::Loaded() {
  registry.add_device(DeviceKind::cpu, make_cpu_runtime());
  load_cpu();
  load_linked_in();
  load_families();
  load_user_plugins();
}

void Loaded::load_cpu() {
  FamilyStatus status{"cpu", "", true, ""};
  for (int level = wanted_cpu_level(); level > built_in_cpu_level; --level) {
    const fs::path path = library_folder() / str("libburin_cpu_v", level, ".so");
    if (!fs::exists(path)) continue;
    if (load(path, status)) {
      cpu_level = level;
      status.reason = str("x86-64-v", level);
      families.push_back(status);
      return;
    }
    families.push_back(status);
  }
  register_cpu(registry);
  families.push_back({"cpu", "", true, str("x86-64-v", cpu_level)});
}

/// A program may hold one family itself: it exports burin_plugin() like a plug-in. Test programs
/// do, whose kernels are compiled for a sanitizer.
void Loaded::load_linked_in() {
  void* const program = dlopen(nullptr, RTLD_NOW | RTLD_LOCAL);
  if (program == nullptr || dlsym(program, "burin_plugin") == nullptr) return;
  FamilyStatus status{"", "the program", false, ""};
  load_from(program, status);
  families.push_back(status);
}

void Loaded::load_families() {
  std::vector<fs::path> paths;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(library_folder(), ignored)) {
    const std::string name = file.path().filename().string();
    if (name.starts_with("libburin_family_") && name.ends_with(".so")) paths.push_back(file.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    const std::string family = family_of_file(path);
    const auto there = [&](const FamilyStatus& other) { return other.family == family; };
    if (std::any_of(families.begin(), families.end(), there)) continue;  // linked in
    FamilyStatus status;
    load(path, status);
    families.push_back(status);
  }
}

void Loaded::load_user_plugins() {
  const std::string list = environment("BURIN_PLUGINS");
  registry.set_only_when_named(true);
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) {
      const std::string path = list.substr(begin, end - begin);
      FamilyStatus status;
      const bool loaded = load(path, status);
      families.push_back(status);
      check(loaded, "BURIN_PLUGINS: ", path, " was not loaded: ", status.reason);
    }
    begin = end + 1;
  }
  registry.set_only_when_named(false);
}

/// Opens a plug-in and lets it register. Never closes it: its code may be on any stack.
bool Loaded::load(const fs::path& path, FamilyStatus& status) {
  status = {family_of_file(path), path.string(), false, ""};

  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const reason = dlerror();
    status.reason = reason == nullptr ? "dlopen failed" : reason;
    return false;
  }
  return load_from(library, status);
}

/// Lets what exports burin_plugin() register, if it fits.
bool Loaded::load_from(void* library, FamilyStatus& status) {
  const auto entry = reinterpret_cast<PluginInfo (*)()>(dlsym(library, "burin_plugin"));
  if (entry == nullptr) {
    status.reason = "it exports no burin_plugin(): not a burin plug-in";
    return false;
  }
  const PluginInfo info = entry();
  status.family = info.family;
  if (std::string_view(info.release) != release ||
      std::string_view(info.contracts_hash) != contracts_hash) {
    status.reason =
        str("it was built for burin ", info.release, " (contracts ", info.contracts_hash,
            "), this is burin ", release, " (contracts ", contracts_hash, "): build it again");
    return false;
  }
  if (info.why_unavailable != nullptr) {
    if (const char* const reason = info.why_unavailable()) {
      status.reason = reason;
      return false;
    }
  }
  info.add_implementations(registry);
  status.loaded = true;
  return true;
}

const Loaded& loaded() {
  static const Loaded instance;
  return instance;
}

}  // namespace

const Registry& registry() {
  return loaded().registry;
}
const std::vector<FamilyStatus>& families() {
  return loaded().families;
}
int cpu_level() {
  return loaded().cpu_level;
}

std::string why_family_is_missing(std::string_view family) {
  for (const FamilyStatus& status : families()) {
    if (status.family == family) {
      return status.loaded ? str("family ", family, " is loaded") : status.reason;
    }
  }
  return str("family ", family, " was not built, or libburin_family_", family,
             ".so does not lie beside libburin_kernels.so");
}

}  // namespace burin
