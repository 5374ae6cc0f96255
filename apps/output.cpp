#include "burin/apps/output.h"

#include <algorithm>
#include <filesystem>

#include "burin/apps/exit.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {

void expect_writable(const std::string& path) {
  if (path.empty()) return;
  failing_with(exit_failed, [&] { const AtomicFile nothing_is_left_of_it(path); });
}

void expect_extension(const char* option, const std::string& path,
                      std::initializer_list<const char*> extensions) {
  const std::string given = std::filesystem::path(path).extension().string();
  if (std::find(extensions.begin(), extensions.end(), given) != extensions.end()) return;
  std::string list;
  for (const char* const extension : extensions) {
    list += (list.empty() ? "" : ", ") + str(extension);
  }
  throw Failure(exit_usage, str(option, ' ', path, ": is none of ", list));
}

}  // namespace burin::apps
