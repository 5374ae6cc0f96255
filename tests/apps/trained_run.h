#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <sstream>
#include <string>

#include "apps/run_burin.h"
#include "burin/apps/image_file.h"

namespace burin {

inline constexpr const char* quick =
    " --model resnet20 --weights none --img-size 16 --batch-size 8 --aug none --workers 1";

/// DIR/{blue,red}/NN.png: noise with one channel brighter.
inline void write_pictures(const std::filesystem::path& directory, int per_class) {
  std::mt19937 random(1);
  for (const int channel : {2, 0}) {
    const auto folder = directory / (channel == 0 ? "red" : "blue");
    std::filesystem::create_directories(folder);
    for (int i = 0; i < per_class; ++i) {
      data::Image image(16, 16);
      for (size_t p = 0; p < image.pixels.size(); ++p) {
        const unsigned bright = static_cast<int>(p % 3) == channel ? 128 : 0;
        image.pixels[p] = static_cast<uint8_t>(random() % 128 + bright);
      }
      apps::write_image((folder / str("n", 10 + i, ".png")).string(), image);
    }
  }
}

/// One trained run for all tests of the suite.
class TrainedRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new testing_support::TemporaryFolder;
    write_pictures(folder_->path() / "photos", 20);
    trained_ = new Ran(run_burin("train " + folder_->file("photos") + quick +
                                 " --epochs 10 --project " + folder_->file("runs")));
  }
  static void TearDownTestSuite() {
    delete trained_;
    delete folder_;
  }
  static std::string file(const std::string& name) { return folder_->file(name); }
  static std::string run() { return file("runs/exp"); }
  /// A run's results.csv without times: of "1,0.52,0.6931,…" all but the second column and the
  /// last.
  static std::string losses(const std::string& name) {
    std::istringstream in(testing_support::read_whole(file("runs/" + name + "/results.csv")));
    std::string kept;
    for (std::string line; std::getline(in, line);) {
      const size_t begin = line.find(',', line.find(',') + 1);
      kept += line.substr(begin, line.rfind(',') - begin) + "\n";
    }
    return kept;
  }

  inline static testing_support::TemporaryFolder* folder_ = nullptr;
  inline static Ran* trained_ = nullptr;
};

}  // namespace burin
