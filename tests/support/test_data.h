#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace burin::testing_support {

/// The project's root, where the tests were compiled.
inline std::filesystem::path source_folder() {
  return BURIN_SOURCE_FOLDER;  // from tests/CMakeLists.txt
}

/// A file or folder of the test data ($BURIN_TEST_DATA, else ../shared/data beside the project), or
/// nothing where it is absent: the test then skips with that reason.
inline std::optional<std::string> test_data(const std::string& name) {
  const char* const folder = std::getenv("BURIN_TEST_DATA");
  const std::filesystem::path path =
      (folder != nullptr ? std::filesystem::path(folder) : source_folder() / "../shared/data") /
      name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path.string();
}

/// A file of tests/golden, which is part of the project.
inline std::string golden(const std::string& name) {
  return (source_folder() / "tests/golden" / name).string();
}

}  // namespace burin::testing_support
