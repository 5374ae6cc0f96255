// Decode, resize, centre crop and normalise, on one thread: what a loader's worker does for an
// image.
//   burin_loader_bench FOLDER [TENSORS]     one timed pass over the folder's files, held in memory
// Prints images, seconds of processor time and the share of each step. With TENSORS, writes the f32
// [224, 224, 3] results there, for loader_bench.py to compare with torchvision's.
#include <algorithm>
#include <ctime>
#include <fstream>
#include <iostream>
#include <vector>

#include "burin/data/decode.h"
#include "burin/data/file.h"
#include "burin/data/scan.h"
#include "burin/data/transforms.h"
#include "burin/kernels/base/parallel.h"
#include "burin/kernels/normalize_u8.h"
#include "burin/kernels/run.h"

namespace {

using namespace burin;

constexpr int64_t crop = 224;
constexpr int64_t numbers = crop * crop * 3;
constexpr float mean[] = {0.485f, 0.456f, 0.406f};
constexpr float deviation[] = {0.229f, 0.224f, 0.225f};

/// Processor time, so that a busy machine disturbs less.
double seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void normalize(const data::Image& image, float* to, Stream& stream) {
  const Shape shape = {1, 3, crop, crop};
  run(NormalizeU8{ConstView::dense(image.pixels.data(), DType::u8, shape, Layout::nhwc),
                  ConstView::dense(mean, DType::f32, {3}),
                  ConstView::dense(deviation, DType::f32, {3}),
                  View::dense(to, DType::f32, shape, Layout::nhwc)},
      stream);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: burin_loader_bench FOLDER [TENSORS]\n";
    return 2;
  }
  set_compute_threads(1);
  std::vector<std::vector<uint8_t>> files;
  for (const auto& path : data::files_below(argv[1])) files.push_back(data::read_file(path));
  const data::Transform transform =
      data::evaluation_transform(data::EvaluationOptions::torchvision(crop, 256));
  Stream stream{Device::cpu()};
  data::SampleRandom random(0, 0, 0);
  std::vector<float> tensor(numbers);
  std::ofstream tensors;
  if (argc > 2) tensors.open(argv[2], std::ios::binary);

  normalize(data::Image(crop, crop), tensor.data(), stream);  // loads the plug-ins
  double decoding = 0;
  double resizing = 0;
  double normalizing = 0;
  for (const std::vector<uint8_t>& bytes : files) {
    const double start = seconds();
    const data::Image image = data::decode(bytes, "image");
    const double decoded = seconds();
    const data::Image resized = transform.apply(image, random);
    const double transformed = seconds();
    normalize(resized, tensor.data(), stream);
    decoding += decoded - start;
    resizing += transformed - decoded;
    normalizing += seconds() - transformed;
    if (tensors.is_open()) {
      tensors.write(reinterpret_cast<const char*>(tensor.data()), numbers * sizeof(float));
    }
  }
  std::cout << files.size() << " " << decoding + resizing + normalizing << " " << decoding << " "
            << resizing << " " << normalizing << "\n";
  return 0;
}
