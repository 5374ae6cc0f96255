#include "burin/kernels/check/case.h"

#include <algorithm>
#include <cmath>

#include "burin/kernels/base/random.h"

namespace burin::checks {

OpCase::~OpCase() = default;

void add_all_cases(Cases& cases);  // generated: calls add_cases_<op> of every file in this folder

namespace {

/// Elements of an output that are compared: all of a small one, else a spread that meets every
/// remainder of small tile sizes and the very last elements, where tails go wrong.
std::vector<int64_t> compared_elements(int64_t numel, int64_t all_up_to) {
  constexpr int64_t sample = 997;
  std::vector<int64_t> indices;
  if (numel <= all_up_to) {
    for (int64_t i = 0; i < numel; ++i) indices.push_back(i);
    return indices;
  }
  const int64_t step = numel / sample;
  for (int64_t i = 0; i < sample; ++i) indices.push_back(i * step + i % step);
  for (int64_t i = numel - 64; i < numel; ++i) indices.push_back(i);
  return indices;
}

bool same_special(double actual, double expected) {
  return (std::isnan(actual) && std::isnan(expected)) ||
         (std::isinf(expected) && actual == expected);
}

}  // namespace

Verdict compare(const Expectation& expectation, Operands& operands) {
  const View& view = expectation.actual;
  const std::vector<double> actual = operands.read(view);
  Verdict verdict{true, 0, ""};
  for (const int64_t i : compared_elements(view.numel(), expectation.all_up_to)) {
    const Expected expected = expectation.at(i);
    const double value = actual[static_cast<size_t>(i)];
    if (same_special(value, expected.value)) continue;
    const double allowed = tolerance(expected, view.dtype, expectation.factor);
    const double error = std::abs(value - expected.value);
    if (error <= allowed && std::isfinite(allowed)) {  // not where an infinity is expected
      verdict.worst = std::max(verdict.worst, error / allowed);
      continue;
    }
    return {false, error / allowed,
            str(expectation.what, coordinates_of(i, view.shape), " is ", value,
                ", the definition says ", expected.value, " (error ", error, ", allowed ", allowed,
                ")")};
  }
  return verdict;
}

GuardedWorkspace::GuardedWorkspace(Operands& operands, size_t bytes)
    : view_(operands.scratch((bytes + 63) / 64 * 64)), bytes_((bytes + 63) / 64 * 64) {}

namespace {

double seconds_of(const std::function<void()>& queue, const std::function<void()>& wait,
                  int calls) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int i = 0; i < calls; ++i) queue();
  wait();
  return std::chrono::duration<double>(Clock::now() - start).count() / calls;
}

}  // namespace

double median_seconds(const std::function<void()>& queue, const std::function<void()>& wait,
                      double seconds) {
  constexpr double round = 2e-3;  // a wait costs some 10 µs
  const double slowest = std::max(seconds_of(queue, wait, 1), 1e-7);
  const double first = std::max(std::min(slowest, seconds_of(queue, wait, 1)), 1e-7);
  const int calls = static_cast<int>(std::clamp(round / first, 1.0, 200.0));
  std::vector<double> times;
  double spent = 0;
  while (times.size() < 3 || spent < seconds) {
    times.push_back(seconds_of(queue, wait, calls));
    spent += times.back() * calls;
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

const Cases& all_cases() {
  static const Cases cases = [] {
    Cases made;
    add_all_cases(made);
    return made;
  }();
  return cases;
}

Misaligned misaligned_operand(const OpCase& one, Device device) {
  const auto& list = all_cases().list();
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const auto& other) { return other.get() == &one; });
  const auto drawn = philox_word(0, 0, static_cast<uint64_t>(found - list.begin()));
  return static_cast<Misaligned>(drawn % static_cast<uint32_t>(one.operand_count(device)));
}

std::vector<const OpCase*> cases_of(std::string_view op) {
  std::vector<const OpCase*> result;
  for (const auto& one : all_cases().list()) {
    const std::string_view name = one->op();
    const bool wanted =
        op.empty() || name == op || (name.starts_with(op) && name[op.size()] == '_');
    if (wanted) result.push_back(one.get());
  }
  return result;
}

}  // namespace burin::checks
