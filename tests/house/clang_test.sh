#!/usr/bin/env bash
# usage: clang_test.sh BUILD
# clang takes what the cpu family says of vectors at every level of x86-64, with our warnings as errors. The other builds
# are GCC's, and the fuzzers', which have the lowest level only.
set -euo pipefail
build=$(realpath "${1:?the build folder}")
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

if ! echo '#include <omp.h>' | clang++ -fopenmp -fsyntax-only -x c++ - 2>/dev/null; then
  echo "clang with OpenMP is not installed"
  exit 77
fi
levels=("")
[ "$(uname -m)" != x86_64 ] || levels=(-march=x86-64-v{2,3,4})
for level in "${levels[@]}"; do
  clang++ -std=c++20 -fsyntax-only -fopenmp -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror $level \
    -I"$build/include" -I"$build/generated" kernels/cpu/{activation,copy,elementwise}.cpp \
    kernels/cpu/support/attention_blocked.cpp
done
