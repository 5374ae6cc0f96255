// Times every implementation on every case of kernels/check that it accepts: the cases the tests
// check. By default those of a real network's size; BURIN_BENCH_ALL=1 adds the small ones.
//
//   burin_kernels_bench --benchmark_filter='conv2d_forward/ResNet18.*f32'
//
// Each row is the median time of one call. An output is held against the definition once, before
// its row counts: a wrong kernel's time is an error, not a number. "of_peak" is the least time that
// the CPU's measured peaks allow ÷ the time; the peaks themselves are in the context that
// is printed first.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/check/roofline.h"

namespace {

using burin::Device;
using burin::checks::all_aligned;
using burin::checks::OpCase;
using burin::checks::Roofline;

constexpr double seconds_a_row = 0.5;

void time_case(benchmark::State& state, const OpCase& one, const std::string& implementation,
               const Roofline& roofline) {
  for (const burin::Candidate& candidate : one.candidates(Device::cpu(), all_aligned)) {
    if (candidate.name == implementation && !candidate.refusal.empty()) {
      state.SkipWithError(("refused: " + candidate.refusal).c_str());
      return;
    }
  }
  const burin::checks::Verdict verdict = one.check(implementation, Device::cpu(), all_aligned);
  if (!verdict.passed) {
    state.SkipWithError(verdict.message.c_str());
    return;
  }
  burin::checks::Timing timing;
  for (auto _ : state) {
    timing = one.time(implementation, Device::cpu(), seconds_a_row);
    state.SetIterationTime(timing.seconds);
  }
  state.counters["GFLOP/s"] = timing.flops / timing.seconds * 1e-9;
  state.counters["GB/s"] = timing.bytes / timing.seconds * 1e-9;
  if (const auto share = burin::checks::share_of_peak(timing, one.info.dtype, roofline)) {
    state.counters["of_peak"] = *share;
  }
  state.counters["worst"] = verdict.worst;
}

/// "conv2d_forward/ResNet18 layer1/x [16, 64, 56, 56] …/f32/nhwc/cpu/im2col"
std::string name_of(const OpCase& one, const std::string& implementation) {
  return burin::str(one.op(), '/', one.info.why, '/', one.info.problem, '/', one.info.dtype, '/',
                    one.info.layout, '/', implementation);
}

void add_rows(const Roofline& roofline) {
  const bool all = std::getenv("BURIN_BENCH_ALL") != nullptr;
  for (const auto& one : burin::checks::all_cases().list()) {
    if (!one->info.large && !all) continue;
    for (const auto& entry : burin::registry().entries(one->op(), burin::DeviceKind::cpu)) {
      if (entry.place == burin::place::plain && one->info.large) continue;  // takes minutes
      benchmark::RegisterBenchmark(name_of(*one, entry.name).c_str(), time_case, std::cref(*one),
                                   entry.name, std::cref(roofline))
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

std::string giga(double a_second) {
  return std::to_string(static_cast<int64_t>(a_second * 1e-9));
}

}  // namespace

int main(int argc, char** argv) {
  const Roofline roofline = burin::checks::measure_roofline();
  add_rows(roofline);
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("threads", std::to_string(burin::compute_threads()));
  benchmark::AddCustomContext("peak f32 GFLOP/s", giga(roofline.f32_flops));
  benchmark::AddCustomContext("peak bf16 GFLOP/s", giga(roofline.bf16_flops));
  benchmark::AddCustomContext("peak copy GB/s", giga(roofline.bytes));
  benchmark::RunSpecifiedBenchmarks();
}
