#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "burin/kernels/registry.h"
#include "burin/version.h"

namespace burin {

/// What a plug-in says of itself. Plain C data, so that it can be read before anything is trusted.
///
/// A plug-in is a shared library that exports one function:
///
///   extern "C" burin::PluginInfo burin_plugin() {
///     return {burin::release, burin::contracts_hash, "mine", nullptr,
///             [](burin::Registry& registry) { register_mine_conv2d(registry); }};
///   }
struct PluginInfo {
  const char* release;               // burin::release it was built with
  const char* contracts_hash;        // burin::contracts_hash it was built with
  const char* family;                // "onednn"
  const char* (*why_unavailable)();  // null, or a function: null if usable, else the reason
  void (*add_implementations)(Registry& registry);
};

/// One family the process looked for.
struct FamilyStatus {
  std::string family;
  std::string path;  // of its shared library; empty for the built-in one
  bool loaded = false;
  std::string reason;  // why not, in words; for `cpu`, the x86-64 level in use
};

/// Every family looked for, in order. Loads them at first use.
const std::vector<FamilyStatus>& families();

/// The reason a family is not there, in words.
std::string why_family_is_missing(std::string_view family);

/// The x86-64 level the `cpu` family runs at: 2, 3 or 4. The highest this CPU has and that was
/// built; BURIN_CPU_LEVEL=v2|v3|v4 lowers it.
int cpu_level();

}  // namespace burin
