#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "burin/apps/training/trainer.h"

namespace burin::testing_support {

/// Class folders of small PPM files: class "dark" and class "light", each image with some noise.
inline void write_images(const std::filesystem::path& folder, int per_class, int size) {
  uint32_t noise = 1;
  for (const int level : {60, 180}) {
    const auto directory = folder / (level < 128 ? "dark" : "light");
    std::filesystem::create_directories(directory);
    for (int i = 0; i < per_class; ++i) {
      std::string pixels;
      for (int p = 0; p < size * size * 3; ++p) {
        noise = noise * 1664525u + 1013904223u;
        pixels += static_cast<char>(level + static_cast<int>(noise >> 26));
      }
      std::ofstream(directory / (std::to_string(i) + ".ppm"), std::ios::binary)
          << "P6\n"
          << size << ' ' << size << "\n255\n"
          << pixels;
    }
  }
}

inline apps::TrainOptions small_run(const std::filesystem::path& images) {
  apps::TrainOptions options;
  options.weights = "none";
  options.data = {images.string()};
  options.model = "resnet20";
  options.img_size = 32;
  options.batch_size = 8;
  options.epochs = 3;
  options.workers = 2;
  return options;
}

inline std::vector<double> losses(const apps::TrainOutcome& outcome) {
  std::vector<double> result;
  for (const apps::EpochResult& epoch : outcome.epochs) {
    result.push_back(epoch.train_loss);
    result.push_back(epoch.val_loss);
  }
  return result;
}

}  // namespace burin::testing_support
