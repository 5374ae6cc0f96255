#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace burin::models {

/// Told now and then how many bytes of the file are there.
using DownloadProgress = std::function<void(int64_t bytes)>;

/// Fetches `url` into the file `part` with the program curl, going on where an earlier attempt
/// stopped. What was fetched stays in `part` on failure. Throws Error with curl's words. The one
/// that is downloading keeps the file locked: a second one is refused.
void download(const std::string& url, const std::string& part, const DownloadProgress& progress);

}  // namespace burin::models
