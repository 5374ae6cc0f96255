#include "burin/tensor/random.h"

#include "burin/kernels/fill.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/same_device.h"

namespace burin {
namespace {

void draw(Tensor& x, FillKind kind, double a, double b, Generator& generator) {
  check_same_device("fill", {{"the generator", generator.state()}, {"the tensor", x}});
  if (!generator.draws()) return;
  launch(x.device(), Fill{x.writable(), kind, a, b, generator.state().writable()});
}

}  // namespace

Generator::Generator(uint64_t seed, Device device) : state_(empty({2}, {DType::i64, device})) {
  set(seed, 0);
}

std::pair<uint64_t, uint64_t> Generator::seed_and_offset() const {
  const std::vector<int64_t> words = state_.to_vector<int64_t>();
  return {static_cast<uint64_t>(words[0]), static_cast<uint64_t>(words[1])};
}

void Generator::set(uint64_t seed, uint64_t offset) {
  const std::vector<int64_t> words = {static_cast<int64_t>(seed), static_cast<int64_t>(offset)};
  copy_into(state_, Tensor::from(words, {2}, {DType::i64}));
}

void Generator::move_to(Device device) {
  const auto [seed, offset] = seed_and_offset();
  state_ = empty({2}, {DType::i64, device});
  set(seed, offset);
}

void uniform_(Tensor& x, double low, double high, Generator& generator) {
  check(low <= high, "uniform: from ", low, " to ", high);
  draw(x, FillKind::uniform, low, high, generator);
}
void normal_(Tensor& x, double mean, double std, Generator& generator) {
  check(std >= 0, "normal: the standard deviation ", std, " must not be negative");
  draw(x, FillKind::normal, mean, std, generator);
}
void truncated_normal_(Tensor& x, double mean, double std, Generator& generator) {
  check(std >= 0, "truncated_normal: the standard deviation ", std, " must not be negative");
  draw(x, FillKind::truncated_normal, mean, std, generator);
}
void bernoulli_(Tensor& x, double p, Generator& generator) {
  check(p >= 0 && p <= 1, "bernoulli: the probability ", p, " must be in [0, 1]");
  draw(x, FillKind::bernoulli, p, 1, generator);
}
void fill_(Tensor& x, double value) {
  launch(x.device(), Fill{.y = x.writable(), .kind = FillKind::constant, .a = value, .state = {}});
}

}  // namespace burin
