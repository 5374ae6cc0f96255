#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "burin/apps/training/trainer.h"

namespace burin::apps {

/// CRC-32C (Castagnoli), as TensorFlow's records carry it.
uint32_t crc32c(std::string_view bytes);

/// The content of an events.out.tfevents file: a version record, then for each epoch the scalars
/// loss/train, loss/val, metrics/accuracy, precision, recall, f1, learning_rate, images_per_second.
/// `start` is the time of the first, in seconds since 1970; each epoch comes its duration later.
std::string tensorboard_events(const std::vector<EpochResult>& epochs, double start);

/// Writes them into `folder`, as if the run had ended now, in the place of those that it wrote when
/// it ended before: TensorBoard would draw both.
void write_tensorboard(const std::filesystem::path& folder, const std::vector<EpochResult>& epochs);

}  // namespace burin::apps
