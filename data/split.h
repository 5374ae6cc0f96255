#pragma once

#include <cstdint>
#include <vector>

namespace burin::data {

/// torch.manual_seed(seed); torch.randperm(n) on the CPU, number for number (n < 2^32 / 20, where
/// torch changes its method; Error beyond): std::mt19937, then for i < n − 1 swap r[i] with
/// r[i + u32() mod (n − i)]. (10, 42) gives 2 6 1 8 4 5 0 9 3 7.
std::vector<int64_t> randperm(int64_t n, uint64_t seed);

struct Split {
  std::vector<int64_t> train;
  std::vector<int64_t> valid;
};

/// fastai's RandomSplitter: of randperm(n, seed) the first int(valid_fraction · n) are the
/// validation set, the rest is the training set, in this order.
/// Throws Error unless 0 ≤ valid_fraction < 1.
Split random_split(int64_t n, double valid_fraction, uint64_t seed);

/// A `fraction` (0 < fraction ≤ 1) of the list, at least one of it: the first of a seeded shuffle,
/// in the order of the list.
std::vector<int64_t> random_subset(const std::vector<int64_t>& indices, double fraction,
                                   uint64_t seed);

}  // namespace burin::data
