#pragma once

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "burin/kernels/cpu/support/micro_gemm.h"

namespace burin::cpu {
namespace {

/// Two bf16 that are neighbours along a sum.
using BfloatPair = uint32_t;

/// micro_gemm.h's product of bf16 factors, where the CPU multiplies pairs of them in one
/// instruction (AVX512_BF16, which no level of x86-64 includes: hence a question at run time). It
/// takes subnormal factors for zero.
using PairProduct = BasicMicroProduct<BfloatPair>;

#ifdef __AVX512F__
inline bool multiplies_pairs() {
  static const bool answer = __builtin_cpu_supports("avx512bf16") != 0;
  return answer;
}

template <int rows>
[[gnu::target("avx512bf16")]] void multiply_pair_panel(const PairProduct& p) {
  Vector sums[rows][2] = {};
  const BfloatPair* a = p.a;
  const BfloatPair* b = p.b;
  for (int64_t d = 0; d < p.depth; ++d, a += p.a_step, b += p.b_step) {
    const auto left = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b));
    const auto right = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + lanes));
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) {
      BfloatPair word;
      std::memcpy(&word, a + m * p.a_row, sizeof word);
      const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(word)));
      sums[m][0] = _mm512_dpbf16_ps(sums[m][0], factor, left);
      sums[m][1] = _mm512_dpbf16_ps(sums[m][1], factor, right);
    }
  }
  store_sums(sums, p.y, p.y_row, p.accumulate);
}

template <int... rows>
constexpr auto pair_kernels(std::integer_sequence<int, rows...> /*sequence*/) {
  return std::array<void (*)(const PairProduct&), sizeof...(rows)>{
      multiply_pair_panel<rows + 1>...};
}

inline void multiply_rows(PairProduct p, int64_t rows) {
  constexpr auto kernels = pair_kernels(std::make_integer_sequence<int, most_rows>());
  for_row_passes(rows, [&](int64_t count) {
    kernels[static_cast<size_t>(count - 1)](p);
    p.a += count * p.a_row;
    p.y += count * p.y_row;
  });
}
#else
inline constexpr bool multiplies_pairs() {
  return false;
}
inline void multiply_rows(const PairProduct& /*p*/, int64_t /*rows*/) {}
#endif

}  // namespace
}  // namespace burin::cpu
