// The ground floor alone: one kernel on memory of one's own, no tensor.
#include <burin/kernels/activation.h>
#include <burin/kernels/run.h>

#include <iostream>
#include <vector>

int main() {
  const std::vector<float> x = {-2, -1, 0, 1, 2};
  std::vector<float> y(x.size());
  const burin::Shape shape = {static_cast<int64_t>(x.size())};
  const auto stream = burin::runtime_of(burin::Device::cpu()).make_stream(0);

  burin::run(burin::ActivationForward{burin::ConstView::dense(x.data(), burin::DType::f32, shape),
                                      burin::View::dense(y.data(), burin::DType::f32, shape),
                                      burin::Activation::relu},
             *stream);
  for (const float value : y) std::cout << value << ' ';
  std::cout << '\n';
  return y == std::vector<float>{0, 0, 0, 1, 2} ? 0 : 1;
}
