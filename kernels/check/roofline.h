#pragma once

#include <optional>

#include "burin/kernels/check/case.h"

namespace burin::checks {

/// The ceilings of the CPU's compute threads together, measured (Williams, Waterman, Patterson:
/// Roofline, Communications of the ACM 52(4), 2009).
struct Roofline {
  double f32_flops = 0;   // a second: multiply-adds on the widest vectors, each counting as 2
  double bf16_flops = 0;  // a second, sums in f32; 0 on a CPU with AMX, whose tiles aren't measured
  double bytes = 0;       // a second: copying what no cache holds, reads and writes both counting
};

/// Takes about half a second. Other load on the machine lowers what is found.
Roofline measure_roofline();

/// The least time that the problem's operations and bytes take under this roof, as a share of the
/// time taken. Above 1 for algorithms that need fewer operations than the definition, and where
/// operands come from a cache. Nothing where the ceiling is not known.
std::optional<double> share_of_peak(const Timing& timing, DType dtype, const Roofline& roofline);

}  // namespace burin::checks
