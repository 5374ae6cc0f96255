#!/usr/bin/env bash
# burin's operators beside LibTorch's in its strongest setting, one interleaved run, at the networks' sizes.
#   scripts/bench_kernels.sh [--filter 'conv2d_forward f32'] [--rounds N] [--json FILE]
# Needs libtorch-dev; libopenblas0-openmp and libjemalloc2 make LibTorch faster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/libtorch.sh

cmake --preset release -DBURIN_BENCH=ON >/dev/null
cmake --build --preset release --target burin_libtorch_bench >/dev/null || {
  echo "bench_kernels: LibTorch's headers are missing: apt-get install libtorch-dev libopenblas0-openmp libjemalloc2" >&2
  exit 1
}

grep -m1 'model name' /proc/cpuinfo
LD_PRELOAD=$preload exec build/release/bin/burin_libtorch_bench "$@"
