#pragma once

#include <span>
#include <string_view>

namespace burin::apps {

/// A file of apps/web, which the build puts into the program.
struct Asset {
  std::string_view name;  // "page.js"
  std::string_view content;
};
std::span<const Asset> web_assets();

}  // namespace burin::apps
