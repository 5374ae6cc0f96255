#include "burin/kernels/onednn/support/relu.h"

#include "burin/kernels/base/parallel.h"

namespace burin::onednn {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements that are worth a thread

void relu(float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = y[i] < 0 ? 0.0f : y[i];
}

/// bf16 as integers: what is negative, down to minus infinity, lies up to 0xff80, and NaN above.
void relu(int16_t* y, int64_t count) {
  constexpr auto minus_infinity = static_cast<int16_t>(0xff80);
  for (int64_t i = 0; i < count; ++i) y[i] = y[i] <= minus_infinity ? int16_t{0} : y[i];
}

template <class T>
void relu_of_all(void* data, int64_t count) {
  auto* const y = static_cast<T*>(data);
  parallel_for(count, grain, [=](int64_t begin, int64_t end) { relu(y + begin, end - begin); });
}

}  // namespace

void relu_in_place(const View& y) {
  if (y.dtype == DType::f32) {
    relu_of_all<float>(y.data, y.numel());
  } else {
    relu_of_all<int16_t>(y.data, y.numel());
  }
}

}  // namespace burin::onednn
