#pragma once

#include <cmath>  // before its hidden names are taken

// The words of CUDA C++ that a host compiler does not know. They have to be macros: this file is
// the one exception to the rule against them.
#define __global__
#define __CUDA_ARCH_LIST__ 900
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))

// One block runs at a time, so one copy of a kernel's shared variables is the block's. Static
// arrays also get red zones under ASan.
#define __shared__ static

// glibc has hidden functions of these names, so they can't be declared.
#define __expf std::exp
#define __logf std::log
#define __powf std::pow
