# shellcheck shell=bash disable=SC2034
# LibTorch in its strongest setting on this CPU; to be sourced. Sets preload to jemalloc, or to nothing.

# OpenBLAS takes unknown CPUs for a Prescott, and torch inherits that: name the kernels by what the CPU has.
if grep -qw avx512vl /proc/cpuinfo; then
  export OPENBLAS_CORETYPE=SkylakeX ATEN_CPU_CAPABILITY=avx512
else
  export OPENBLAS_CORETYPE=Haswell ATEN_CPU_CAPABILITY=avx2
fi
preload=$(ldconfig -p | awk '/libjemalloc\.so\.2/ && !found++ {print $NF}')
# LibTorch allocates its results anew in every call. Kept pages, and huge ones, spare it a page fault every 4 KiB: its
# passes over big images then take a third of the time.
export MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always
