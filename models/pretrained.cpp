#include "burin/models/pretrained.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "burin/kernels/base/error.h"
#include "burin/tensor/files/mapped_file.h"
#include "burin/tensor/files/sha256.h"

namespace burin::models {
namespace {

namespace fs = std::filesystem;

// torchvision's models/*.py; the second weights of ResNet-50 come from its newer training recipe.
constexpr std::array<PretrainedWeights, 5> all_weights = {{
    {"resnet18", "resnet18-f37072fd.pth", 256, 69.758},
    {"resnet34", "resnet34-b627a593.pth", 256, 73.314},
    {"resnet50", "resnet50-11ad3fa6.pth", 232, 80.858},
    {"resnet50", "resnet50-0676ba61.pth", 256, 76.130},
    {"squeezenet1_1", "squeezenet1_1-b8a52dc0.pth", 256, 58.178},
}};

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The user's folder for caches, or empty.
fs::path user_cache() {
  const std::string home = environment("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".cache";
}

std::vector<fs::path> folders_to_search() {
  std::vector<fs::path> folders;
  if (!environment("BURIN_CACHE").empty() || !user_cache().empty()) {
    folders.emplace_back(cache_folder());
  }
  const std::string torch_home = environment("TORCH_HOME");
  if (!torch_home.empty()) {
    folders.push_back(fs::path(torch_home) / "hub/checkpoints");
  } else if (!user_cache().empty()) {
    folders.push_back(user_cache() / "torch/hub/checkpoints");
  }
  return folders;
}

/// "f37072fd" of "resnet18-f37072fd.pth"
std::string_view expected_digits(const PretrainedWeights& weights) {
  constexpr size_t digits = 8;
  const size_t dot = weights.file.rfind('.');
  check(dot != std::string_view::npos && dot > digits && weights.file[dot - digits - 1] == '-',
        "pretrained: '", weights.file, "' does not have its sha256 before the dot");
  return weights.file.substr(dot - digits, digits);
}

std::string actual_digits(const std::string& path) {
  return sha256(MappedFile(path).bytes());
}

}  // namespace

std::span<const PretrainedWeights> pretrained_weights() {
  return all_weights;
}

const PretrainedWeights* find_pretrained(std::string_view model) {
  for (const PretrainedWeights& weights : all_weights) {
    if (weights.model == model) return &weights;
  }
  return nullptr;
}

std::string address_of(const PretrainedWeights& weights) {
  std::string base = environment("BURIN_WEIGHTS_URL");
  if (base.empty()) base = "https://download.pytorch.org/models";
  return str(base, "/", weights.file);
}

std::string cache_folder() {
  std::string chosen = environment("BURIN_CACHE");
  if (!chosen.empty()) return chosen;
  check(!user_cache().empty(), "pretrained: neither BURIN_CACHE nor HOME is set");
  return (user_cache() / "burin").string();
}

std::optional<std::string> cached_file(const PretrainedWeights& weights) {
  for (const fs::path& folder : folders_to_search()) {
    std::error_code unreadable;
    const fs::path path = folder / weights.file;
    if (fs::is_regular_file(path, unreadable)) return path.string();
  }
  return std::nullopt;
}

std::string download_pretrained(const PretrainedWeights& weights,
                                const DownloadProgress& progress) {
  const std::string_view expected = expected_digits(weights);
  const fs::path folder = cache_folder();
  std::string path = (folder / weights.file).string();
  const std::string part = path + ".part";
  std::error_code error;
  fs::create_directories(folder, error);
  check(!error, "pretrained: ", folder.string(), " can't be made: ", error.message());

  // A second attempt, from the start, is for a part of an old or damaged download.
  const int attempts = fs::exists(part, error) ? 2 : 1;
  std::string actual;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    try {
      download(address_of(weights), part, progress);
    } catch (const Error& reason) {
      fail("pretrained: ", address_of(weights), " could not be downloaded: ", reason.what(),
           "\n  hint: fetch it elsewhere and put it at ", path);
    }
    actual = actual_digits(part);
    if (actual.starts_with(expected)) {
      fs::rename(part, path, error);
      check(!error, "pretrained: ", path, " can't be put into place: ", error.message());
      return path;
    }
    fs::remove(part, error);
  }
  fail("pretrained: ", address_of(weights), " has sha256 ", actual, ", expected ", expected,
       "…: it is not what was published, and was deleted");
}

}  // namespace burin::models
