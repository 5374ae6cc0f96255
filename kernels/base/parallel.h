#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>

namespace burin {

/// Threads that compute: OpenMP's (libgomp, shared with oneDNN).
inline int compute_threads() {
  return omp_get_max_threads();
}
void set_compute_threads(int threads);

constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}
constexpr int64_t round_up(int64_t a, int64_t b) {
  return ceil_div(a, b) * b;
}

/// Calls body(begin, end) on disjoint ranges that cover [0, count), each at least `grain` long, on
/// the compute threads. The split depends on count, grain and the number of threads only. An
/// exception in the body is thrown again in the caller.
template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  if (count <= 0) return;
  const int64_t parts =
      std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, compute_threads());
  if (parts == 1 || omp_in_parallel() != 0) {
    body(int64_t{0}, count);
    return;
  }
  std::exception_ptr error;
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static, 1)
  for (int64_t part = 0; part < parts; ++part) {
    try {
      body(count * part / parts, count * (part + 1) / parts);
    } catch (...) {
#pragma omp critical
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace burin
