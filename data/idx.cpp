#include "burin/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "burin/data/file.h"
#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

namespace fs = std::filesystem;

/// Hands out the bytes of a file that may be gzipped: zlib's gzFile reads both alike.
class Reader {
 public:
  explicit Reader(const fs::path& path) : name_(path.string()) {
    std::error_code error;
    check(fs::is_regular_file(path, error), name_, ": no such file");
    file_.reset(gzopen(path.c_str(), "rb"));
    check(file_ != nullptr, name_, ": can't be opened");
  }

  void read(uint8_t* to, int64_t count) {
    constexpr int64_t step = 1 << 20;
    for (int64_t done = 0; done < count;) {
      const auto part = static_cast<unsigned>(std::min(step, count - done));
      const int got = gzread(file_.get(), to + done, part);
      check(got >= 0, name_, ": corrupt gzip data");
      check(got > 0, name_, ": truncated, it has ", done, " of ", count, " bytes");
      done += got;
    }
  }
  bool at_end() {
    uint8_t byte = 0;
    const int got = gzread(file_.get(), &byte, 1);
    check(got >= 0, name_, ": corrupt gzip data");
    return got == 0;
  }
  uint32_t read_u32() {
    uint8_t b[4];
    read(b, 4);
    return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | uint32_t{b[3]};
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::string name_;
  std::unique_ptr<gzFile_s, Close> file_;
};

const std::vector<std::string> fashion_mnist_classes = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/// The file itself, or the same name with .gz.
fs::path plain_or_gz(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) ? path : fs::path(path.string() + ".gz");
}

}  // namespace

IdxFile read_idx(const fs::path& path, int64_t max_bytes) {
  Reader reader(path);
  const std::string name = path.string();
  const uint32_t magic = reader.read_u32();
  const uint32_t rank = magic & 0xffu;
  check(magic >> 16 == 0, name, ": not an idx file (it begins with ", magic, ")");
  check((magic >> 8 & 0xffu) == 0x08, name, ": idx element type ", magic >> 8 & 0xffu,
        " is not supported, only 8, unsigned byte");
  check(rank >= 1 && rank <= 4, name, ": idx rank must be 1 to 4, got ", rank);
  IdxFile file;
  int64_t count = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    const int64_t extent = reader.read_u32();
    file.shape.push_back(extent);
    check(extent >= 1 && extent <= max_bytes / count, name, ": shape ", file.shape,
          " is empty or has more than ", max_bytes, " elements");
    count *= extent;
  }
  // Grown as the bytes arrive: a header that promises gigabytes allocates nothing by itself.
  constexpr int64_t step = 16 << 20;
  for (int64_t done = 0; done < count;) {
    const int64_t part = std::min(step, count - done);
    file.elements.resize(static_cast<size_t>(done + part));
    reader.read(file.elements.data() + done, part);
    done += part;
  }
  check(reader.at_end(), name, ": there are bytes after the ", count, " elements of ", file.shape);
  return file;
}

IdxDataset::IdxDataset(const fs::path& images, const fs::path& labels,
                       std::vector<std::string> classes)
    : file_(images.filename().string()),
      images_(read_idx(images)),
      labels_(read_idx(labels)),
      classes_(std::move(classes)) {
  check(images_.shape.rank() == 3, images.string(), ": images must be [N, H, W], got ",
        images_.shape);
  check(labels_.shape.rank() == 1 && labels_.shape[0] == images_.shape[0], labels.string(),
        ": labels must be [N] with N of the images, ", images_.shape, ", got ", labels_.shape);
  const size_t largest = *std::max_element(labels_.elements.begin(), labels_.elements.end());
  if (classes_.empty()) {
    for (size_t i = 0; i <= largest; ++i) classes_.push_back(std::to_string(i));
  }
  check(largest < classes_.size(), labels.string(), ": label ", largest, " has no name, there are ",
        classes_.size(), " classes");
}

std::string IdxDataset::name(int64_t i) const {
  return str(file_, "[", i, "]");
}

std::shared_ptr<const Image> IdxDataset::load(int64_t i) const {
  auto image = std::make_shared<Image>(images_.shape[2], images_.shape[1]);
  const int64_t pixels = image->width * image->height;
  const uint8_t* grey = images_.elements.data() + i * pixels;
  for (int64_t p = 0; p < pixels; ++p) std::fill_n(image->pixels.data() + 3 * p, 3, grey[p]);
  return image;
}

bool is_idx_folder(const fs::path& directory) {
  std::error_code error;
  return fs::exists(plain_or_gz(directory / "train-images-idx3-ubyte"), error);
}

std::shared_ptr<IdxDataset> open_idx_folder(const fs::path& directory, const std::string& part) {
  const bool is_fashion = fs::absolute(directory).lexically_normal().string().find(
                              "fashion-mnist") != std::string::npos;
  return std::make_shared<IdxDataset>(
      plain_or_gz(directory / (part + "-images-idx3-ubyte")),
      plain_or_gz(directory / (part + "-labels-idx1-ubyte")),
      is_fashion ? fashion_mnist_classes : std::vector<std::string>{});
}

}  // namespace burin::data
