// What a model holds while its weights come in: themselves, and little beside.
#include "burin/models/load_weights.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "burin/models/catalog.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/files/safetensors.h"
#include "support/temporary_folder.h"

namespace burin::models {
namespace {

/// Memory of this process that shows pages of files, in bytes.
size_t resident_file_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    size_t kib = 0;
    if (line.starts_with("RssFile:") && (std::istringstream(line.substr(8)) >> kib)) {
      return kib * 1024;
    }
  }
  return 0;
}

TEST(LoadWeights, HoldsNoSecondCopyOfTheWeights) {
  Generator generator(0);
  const auto model = make_model("resnet18", 2, generator);
  const testing_support::TemporaryFolder folder;
  const std::string path = folder.file("resnet18.safetensors");
  const std::vector<nn::NamedTensor> state = nn::state(*model);
  std::vector<NamedView> views;
  for (const nn::NamedTensor& entry : state) views.push_back({entry.name, entry.tensor.view()});
  write_safetensors(path, views, {});

  constexpr size_t largest = 4 * 512 * 512 * 9;  // a convolution of the last stage
  constexpr size_t mib = size_t{1} << 20;
  CachingAllocator& allocator = *allocator_of(Device::cpu());
  allocator.reset_peak();
  const size_t held = allocator.stats().in_use_bytes, files = resident_file_bytes();
  const WeightFile file(path);
  ASSERT_TRUE(load_weights(*model, file).entries.complete());
  EXPECT_LT(allocator.stats().peak_in_use_bytes, held + largest + mib);
  EXPECT_LT(resident_file_bytes(), files + largest);
}

}  // namespace
}  // namespace burin::models
