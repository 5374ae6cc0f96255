#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "burin/data/dataset.h"

namespace burin::data {

/// CIFAR-10 in its binary layout: per image one label byte, then 1024 red, 1024 green and 1024 blue
/// bytes of 32×32 pixels. Several files are one set, in the given order.
class CifarDataset : public Dataset {
 public:
  /// Throws Error for a file that is not a whole number of images, is empty, or has a label
  /// above 9.
  explicit CifarDataset(const std::vector<std::filesystem::path>& files);

  int64_t size() const override { return static_cast<int64_t>(records_.size()) / record_bytes; }
  const std::vector<std::string>& classes() const override;
  int64_t label(int64_t i) const override { return record(i)[0]; }
  std::string name(int64_t i) const override;
  std::shared_ptr<const Image> load(int64_t i) const override;

 private:
  static constexpr int64_t side = 32;
  static constexpr int64_t record_bytes = 1 + 3 * side * side;

  struct File {
    std::string name;
    int64_t end = 0;  // one past its last image
  };
  const uint8_t* record(int64_t i) const { return records_.data() + i * record_bytes; }

  std::vector<File> files_;
  std::vector<uint8_t> records_;
};

/// True if `directory` holds files of CIFAR's names (data_batch_*.bin, train-*.bin, test*.bin).
bool is_cifar_folder(const std::filesystem::path& directory);

/// Opens the files of a part, "train" or "test", sorted by name: data_batch_*.bin and train*.bin,
/// or test*.bin. Throws Error if there are none.
std::shared_ptr<CifarDataset> open_cifar_folder(const std::filesystem::path& directory,
                                                const std::string& part);

}  // namespace burin::data
