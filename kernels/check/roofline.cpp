#include "burin/kernels/check/roofline.h"

#include <cpuid.h>
#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "burin/kernels/base/parallel.h"

namespace burin::checks {
namespace {

// Independent chains of multiply-adds: more than latency × units (4 × 2), fewer than registers.
constexpr int chains = 12;

/// Work that a thread does `rounds` times over; the result is there to be used.
struct Work {
  float (*run)(int64_t rounds);
  double flops_a_round;
};

using Vector128 = float __attribute__((vector_size(16)));
using Vector256 = float __attribute__((vector_size(32)));
using Vector512 = float __attribute__((vector_size(64)));

/// Compiled into each of its callers, with their instructions.
template <class Vector>
[[gnu::always_inline]] inline float multiply_add(int64_t rounds) {
  const Vector factor = Vector{} + 0.5f, term = Vector{} + 1.0f;
  Vector sums[chains];
  for (Vector& sum : sums) sum = term;
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (Vector& sum : sums) sum = sum * factor + term;
  }
  Vector total = sums[0];
  for (int i = 1; i < chains; ++i) total += sums[i];
  return total[0];
}
float multiply_add_128(int64_t rounds) {
  return multiply_add<Vector128>(rounds);
}
[[gnu::target("avx2,fma")]] float multiply_add_256(int64_t rounds) {
  return multiply_add<Vector256>(rounds);
}
[[gnu::target("avx512f")]] float multiply_add_512(int64_t rounds) {
  return multiply_add<Vector512>(rounds);
}

/// Two products a lane: VDPBF16PS.
[[gnu::target("avx512f,avx512bf16")]] float multiply_add_bf16(int64_t rounds) {
  constexpr short one_bits = 0x3F80;
  const auto one = reinterpret_cast<__m512bh>(_mm512_set1_epi16(one_bits));
  __m512 sums[chains];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, one, one);
  }
  __m512 total = sums[0];
  for (int i = 1; i < chains; ++i) total = _mm512_add_ps(total, sums[i]);
  return _mm512_cvtss_f32(total);
}

constexpr Work on_vectors(float (*run)(int64_t), int lanes, int products_a_lane = 1) {
  return {run, 2.0 * chains * lanes * products_a_lane};
}

bool has_amx_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1) != 0;
}

/// Seconds of the fastest of a few runs of body(thread) on all compute threads.
template <class Body>
double fastest(const Body& body) {
  constexpr int runs = 8;
  double best = 1e9;
  for (int run = 0; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    parallel_for(compute_threads(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t thread = begin; thread < end; ++thread) body(thread);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  return best;
}

double flops_a_second(const Work& work) {
  constexpr int64_t rounds = 1'000'000;
  std::atomic<float> used = 0;
  const double seconds = fastest([&](int64_t /*thread*/) { used = work.run(rounds); });
  return work.flops_a_round * rounds * compute_threads() / seconds;
}

double copied_bytes_a_second() {
  constexpr size_t bytes = size_t{64} << 20;
  const auto threads = static_cast<size_t>(compute_threads());
  std::vector<std::byte> from(threads * bytes), to(threads * bytes);
  const double seconds = fastest([&](int64_t thread) {
    const size_t offset = static_cast<size_t>(thread) * bytes;
    std::memcpy(to.data() + offset, from.data() + offset, bytes);
  });
  return 2.0 * static_cast<double>(bytes * threads) / seconds;
}

}  // namespace

Roofline measure_roofline() {
  __builtin_cpu_init();
  Work f32 = on_vectors(multiply_add_128, 4);
  if (__builtin_cpu_supports("fma") != 0) f32 = on_vectors(multiply_add_256, 8);
  if (__builtin_cpu_supports("avx512f") != 0) f32 = on_vectors(multiply_add_512, 16);
  Roofline roofline;
  roofline.f32_flops = flops_a_second(f32);
  if (!has_amx_bf16()) {
    roofline.bf16_flops = __builtin_cpu_supports("avx512bf16") != 0
                              ? flops_a_second(on_vectors(multiply_add_bf16, 16, 2))
                              : roofline.f32_flops;
  }
  roofline.bytes = copied_bytes_a_second();
  return roofline;
}

std::optional<double> share_of_peak(const Timing& timing, DType dtype, const Roofline& roofline) {
  const double flops = dtype == DType::bf16 ? roofline.bf16_flops : roofline.f32_flops;
  if (flops == 0) return std::nullopt;
  const double least = std::max(timing.flops / flops, timing.bytes / roofline.bytes);
  return least / timing.seconds;
}

}  // namespace burin::checks
