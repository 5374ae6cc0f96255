#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "burin/data/dataset.h"
#include "burin/kernels/base/shape.h"

namespace burin::data {

/// An idx file of unsigned bytes, as MNIST's: magic 0 0 8 rank, extents as big-endian u32,
/// elements.
struct IdxFile {
  Shape shape;
  std::vector<uint8_t> elements;
};

/// Reads an idx file, also gzipped (told by content). Throws Error naming the file if it is
/// malformed, of another element type, truncated, has bytes left over, or more than `max_bytes`.
IdxFile read_idx(const std::filesystem::path& path, int64_t max_bytes = int64_t{1} << 31);

/// Images [N, H, W] and labels [N] of two idx files; grey becomes three equal channels.
class IdxDataset : public Dataset {
 public:
  /// Throws Error if the files do not fit each other or a label has no class name. Without names
  /// the classes are "0", "1", … up to the largest label.
  IdxDataset(const std::filesystem::path& images, const std::filesystem::path& labels,
             std::vector<std::string> classes = {});

  int64_t size() const override { return images_.shape[0]; }
  const std::vector<std::string>& classes() const override { return classes_; }
  int64_t label(int64_t i) const override { return labels_.elements[static_cast<size_t>(i)]; }
  std::string name(int64_t i) const override;
  std::shared_ptr<const Image> load(int64_t i) const override;

 private:
  std::string file_;
  IdxFile images_;
  IdxFile labels_;
  std::vector<std::string> classes_;
};

/// True if `directory` holds train-images-idx3-ubyte, perhaps with .gz.
bool is_idx_folder(const std::filesystem::path& directory);

/// Opens MNIST's file names: part "train" or "t10k". In a folder called fashion-mnist the classes
/// have Fashion-MNIST's names.
std::shared_ptr<IdxDataset> open_idx_folder(const std::filesystem::path& directory,
                                            const std::string& part);

}  // namespace burin::data
