#include "burin/data/cifar.h"

#include <algorithm>
#include <system_error>

#include "burin/data/file.h"
#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

namespace fs = std::filesystem;

bool belongs_to(const fs::path& file, const std::string& part) {
  const std::string name = file.filename().string();
  if (!name.ends_with(".bin")) return false;
  return name.starts_with(part) || (part == "train" && name.starts_with("data_batch"));
}

std::vector<fs::path> files_of(const fs::path& directory, const std::string& part) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (belongs_to(it->path(), part)) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

CifarDataset::CifarDataset(const std::vector<fs::path>& files) {
  for (const fs::path& path : files) {
    const std::vector<uint8_t> bytes = read_file(path);
    const auto size = static_cast<int64_t>(bytes.size());
    check(size > 0 && size % record_bytes == 0, path.string(), ": ", size,
          " bytes are not a whole number of CIFAR-10 images of ", record_bytes);
    for (int64_t at = 0; at < size; at += record_bytes) {
      const int label = bytes[static_cast<size_t>(at)];
      check(label < static_cast<int>(classes().size()), path.string(), ": image ",
            at / record_bytes, " has label ", label, ", CIFAR-10 has 0 to 9");
    }
    records_.insert(records_.end(), bytes.begin(), bytes.end());
    files_.push_back({path.filename().string(), this->size()});
  }
}

const std::vector<std::string>& CifarDataset::classes() const {
  static const std::vector<std::string> names = {
      "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  return names;
}

std::string CifarDataset::name(int64_t i) const {
  int64_t begin = 0;
  for (const File& file : files_) {
    if (i < file.end) return str(file.name, "[", i - begin, "]");
    begin = file.end;
  }
  fail("cifar: there is no image ", i);
}

std::shared_ptr<const Image> CifarDataset::load(int64_t i) const {
  auto image = std::make_shared<Image>(side, side);
  const uint8_t* plane = record(i) + 1;
  for (int64_t c = 0; c < 3; ++c, plane += side * side) {
    for (int64_t p = 0; p < side * side; ++p) {
      image->pixels[static_cast<size_t>(3 * p + c)] = plane[p];
    }
  }
  return image;
}

bool is_cifar_folder(const fs::path& directory) {
  return !files_of(directory, "train").empty() || !files_of(directory, "test").empty();
}

std::shared_ptr<CifarDataset> open_cifar_folder(const fs::path& directory,
                                                const std::string& part) {
  const std::vector<fs::path> files = files_of(directory, part);
  check(!files.empty(), directory.string(), ": no CIFAR-10 files of the part '", part, "'",
        "\n  hint: expected data_batch_*.bin or train*.bin, and test*.bin");
  return std::make_shared<CifarDataset>(files);
}

}  // namespace burin::data
