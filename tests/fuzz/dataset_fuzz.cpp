#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <string>

#include "burin/data/cifar.h"
#include "burin/data/exif.h"
#include "burin/data/idx.h"
#include "burin/kernels/base/error.h"

namespace burin {
namespace {

using Bytes = std::span<const uint8_t>;

/// A file in memory, by the name of its descriptor.
class MemoryFile {
 public:
  explicit MemoryFile(Bytes bytes) : file_(memfd_create("input", MFD_CLOEXEC)) {
    check(write(file_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
          "input: can't be kept");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(file_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

void load_all(const data::Dataset& dataset) {
  constexpr int64_t most = 16;
  for (int64_t i = 0; i < std::min(dataset.size(), most); ++i) {
    const auto label = static_cast<size_t>(dataset.label(i));
    if (label >= dataset.classes().size() || dataset.load(i)->pixels.empty()) __builtin_trap();
    static_cast<void>(dataset.name(i));
  }
}

void read_idx_pair(Bytes bytes) {
  const size_t images = bytes.size() < 2 ? 0 : size_t{bytes[0]} << 8 | bytes[1];
  bytes = bytes.subspan(std::min<size_t>(bytes.size(), 2));
  const size_t middle = std::min(images, bytes.size());
  const MemoryFile first(bytes.first(middle)), second(bytes.subspan(middle));
  load_all(data::IdxDataset(first.path(), second.path()));
}

void read_orientation(Bytes bytes) {
  const int orientation = data::exif_orientation(bytes);
  if (orientation < 1 || orientation > 8) __builtin_trap();
}

}  // namespace
}  // namespace burin

/// After a letter that says what the bytes are: two idx files, the length of the first before them;
/// a file of CIFAR-10; a block of EXIF.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace burin;
  if (size == 0) return 0;
  const Bytes bytes(data + 1, size - 1);
  try {
    if (data[0] == 'i') read_idx_pair(bytes);
    if (data[0] == 'c') load_all(burin::data::CifarDataset({MemoryFile(bytes).path()}));
    if (data[0] == 'e') read_orientation(bytes);
  } catch (const Error&) {
    return 0;
  }
  return 0;
}
