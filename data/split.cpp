#include "burin/data/split.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "burin/kernels/base/error.h"

namespace burin::data {

std::vector<int64_t> randperm(int64_t n, uint64_t seed) {
  constexpr int64_t limit = (int64_t{1} << 32) / 20;
  check(n >= 0 && n < limit, "randperm: n must be in [0, ", limit, "), got ", n);
  std::vector<int64_t> result(static_cast<size_t>(n));
  std::iota(result.begin(), result.end(), int64_t{0});
  std::mt19937 random(static_cast<uint32_t>(seed));  // torch drops the upper half too
  for (int64_t i = 0; i < n - 1; ++i) {
    const auto offset = static_cast<int64_t>(random() % static_cast<uint64_t>(n - i));
    std::swap(result[static_cast<size_t>(i)], result[static_cast<size_t>(i + offset)]);
  }
  return result;
}

Split random_split(int64_t n, double valid_fraction, uint64_t seed) {
  check(valid_fraction >= 0 && valid_fraction < 1, "split: the fraction must be in [0, 1), got ",
        valid_fraction);
  const std::vector<int64_t> order = randperm(n, seed);
  const auto cut = order.begin() + static_cast<int64_t>(valid_fraction * static_cast<double>(n));
  return {.train = {cut, order.end()}, .valid = {order.begin(), cut}};
}

std::vector<int64_t> random_subset(const std::vector<int64_t>& indices, double fraction,
                                   uint64_t seed) {
  check(fraction > 0 && fraction <= 1, "subset: the fraction must be in (0, 1], got ", fraction);
  if (indices.empty()) return {};
  const auto n = static_cast<int64_t>(indices.size());
  const auto wanted = static_cast<int64_t>(fraction * static_cast<double>(n));
  std::vector<int64_t> chosen = randperm(n, seed);
  chosen.resize(static_cast<size_t>(std::max<int64_t>(wanted, 1)));
  std::sort(chosen.begin(), chosen.end());
  for (int64_t& i : chosen) i = indices[static_cast<size_t>(i)];
  return chosen;
}

}  // namespace burin::data
