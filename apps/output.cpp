#include "burin/apps/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "burin/apps/exit.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {

void expect_writable(const std::string& path) {
  if (path.empty()) return;
  failing_with(exit_failed, [&] { const AtomicFile nothing_is_left_of_it(path); });
}

void expect_room_for_folder(const std::string& path) {
  namespace fs = std::filesystem;
  fs::path place = fs::absolute(path).parent_path();
  while (!fs::exists(place)) place = place.parent_path();
  if (!fs::is_directory(place)) {
    throw Failure(exit_failed, str(path, ": ", place.string(), " is not a folder"));
  }
  if (access(place.c_str(), W_OK | X_OK) != 0) {
    throw Failure(exit_failed, str(path, ": ", place.string(), ": ", std::strerror(errno)));
  }
}

void expect_extension(const char* option, const std::string& path,
                      std::initializer_list<const char*> extensions) {
  const std::string given = std::filesystem::path(path).extension().string();
  if (std::find(extensions.begin(), extensions.end(), given) != extensions.end()) return;
  throw Failure(exit_usage, str(option, ' ', path, ": is none of ", listed(extensions)));
}

}  // namespace burin::apps
