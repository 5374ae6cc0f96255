// What a model holds while its weights come in: themselves, and little beside.
#include "burin/models/load_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "burin/kernels/registry.h"
#include "burin/models/catalog.h"
#include "burin/models/vit.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/random.h"
#include "support/expect_error.h"
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

TEST(LoadWeights, ReadsWhatSaveStateWrites) {
  const testing_support::TemporaryFolder folder;
  for (const Device device : {Device::cpu(), Device::emulator()}) {
    if (registry().device(device.kind) == nullptr) continue;
    Generator generator(1), other_generator(2);
    const auto written = make_model("resnet20", 3, generator);
    nn::to(*written, device, Layout::nhwc);
    const std::vector<nn::NamedTensor> state = nn::state(*written);
    for (const char* const name : {"a.safetensors", "a.pth", "a.pt"}) {
      const std::string path = folder.file(name);
      nn::save_state(path, state);
      const auto read = make_model("resnet20", 3, other_generator);
      const WeightsReport report = load_weights(*read, path);
      EXPECT_TRUE(report.entries.complete()) << report.entries.to_string();
      const std::vector<nn::NamedTensor> back = nn::state(*read);
      for (size_t i = 0; i < state.size(); ++i) {
        EXPECT_EQ(back[i].tensor.to_vector<double>(), state[i].tensor.to_vector<double>())
            << path << ": " << state[i].name;
      }
    }
    expect_error(
        [&] {
          nn::save_state(folder.file("b.pth"), state, {{"key", "value"}});
        },
        "a .pth file has no place for metadata");
  }
}

TEST(LoadWeights, HoldsNoSecondCopyOfTheWeights) {
  Generator generator(0);
  const auto model = make_model("resnet18", 2, generator);
  const testing_support::TemporaryFolder folder;
  const std::string path = folder.file("resnet18.safetensors");
  nn::save_state(path, nn::state(*model));

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

TEST(LoadWeights, LeavesTheModelAsItWasWhereATensorCannotBeRead) {
  Generator generator(0);
  VisionTransformer model({.image = 32, .patch = 8, .width = 48, .depth = 1, .heads = 4},
                          generator);
  const auto values = [&] {
    std::vector<std::vector<float>> all;
    for (const nn::NamedTensor& entry : nn::state(model)) {
      all.push_back(entry.tensor.to_vector<float>());
    }
    return all;
  };
  std::vector<nn::NamedTensor> theirs;
  for (const nn::NamedTensor& entry : nn::state(model)) {
    const bool positions = entry.name == "pos_embed";
    theirs.push_back({entry.name, full(positions ? Shape{1, 8, 48} : entry.tensor.shape(), 7)});
  }
  const testing_support::TemporaryFolder folder;
  nn::save_state(folder.file("odd.safetensors"), theirs);
  const auto before = values();
  expect_error([&] { load_weights(model, folder.file("odd.safetensors")); },
               "7 patches are not a square");
  EXPECT_EQ(values(), before);
}

TEST(LoadWeights, LeavesTheModelAsItWasWhereNothingFits) {
  Generator generator(0);
  const auto model = make_model("resnet20", 2, generator);
  const std::vector<nn::NamedTensor> buffers = nn::buffers(*model);
  const auto counter = std::find_if(buffers.begin(), buffers.end(), [](const auto& b) {
    return b.name.ends_with("num_batches_tracked");
  });
  ASSERT_NE(counter, buffers.end());
  Tensor batches = counter->tensor;
  fill_(batches, 5);
  const testing_support::TemporaryFolder folder;
  nn::save_state(folder.file("other.safetensors"), {{"other.weight", zeros({2})}});
  expect_error([&] { load_weights(*model, folder.file("other.safetensors")); }, "none of its 1");
  EXPECT_EQ(batches.to_vector<int64_t>().front(), 5);
}

}  // namespace
}  // namespace burin::models
