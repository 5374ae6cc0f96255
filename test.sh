#!/usr/bin/env bash
# Installs what the tests need, builds, runs them, and ends with `N passed, N failed, N skipped`.
#   ./test.sh          every test but the exhaustive ones; at most 15 minutes from a bare machine
#   ./test.sh --quick  without the slow ones: 2 minutes of tests
#   ./test.sh --all    with sanitizers, fuzzing, the outside consumer, and nvcc where it is installed
#   ./test.sh --all --minutes N   the same, but what would not end within N minutes counts as skipped
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/lib.sh

# build/release/bin/burin_kernels_tests → kernels
name_of() { basename "$1" | sed 's/^burin_//; s/_tests$//'; }

has_libfuzzer() {
  echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null 2>/dev/null
}

mode=${1:-default}
exhaustive='Exhaustive*:*/Exhaustive*'
quick="Slow*:*/Slow*:$exhaustive"
case $mode in
  --quick) left_out=$quick ;;
  default | --all) left_out=$exhaustive ;;
  *) die "usage: ./test.sh [--quick | --all [--minutes N]]" ;;
esac
if [ "$mode ${2:-}" = "--all --minutes" ]; then limit=$((${3:?how many minutes} * 60)); fi

need "${build_packages[@]}" "${test_packages[@]}" "${data_packages[@]}"

[ "$mode" = --quick ] || want "${browser_packages[@]}"
[ "$mode" != --all ] || want "${all_packages[@]}"

say "building"
build release

say "testing"
export OMP_WAIT_POLICY=passive  # spinning threads stall each other where cores are shared
for program in build/release/bin/burin_*_tests; do
  run_tests "$(name_of "$program")" "$program" --gtest_filter="-$left_out"
done
for program in build/release/bin/burin_*_fuzz; do
  [ -x "$program" ] || continue
  name=$(name_of "$program")
  run_check "$name" "$program" "tests/fuzz/corpus/${name%_fuzz}"
done
for rule in tests/house/*_test.sh; do
  run_check "house_$(basename "$rule" _test.sh)" "$rule" build/release
done
[ "$mode" = --quick ] || run_check page tests/web/run.sh build/release
[ "$mode" = --all ] || { finish; exit; }

# ---- what --all adds: what tells most comes first. Each part says how long it takes on two slow processors. --------

# build_check PRESET ARGUMENT…: build() as a test, so that the rest goes on where it fails.
build_check() {
  run_check "build_$1" bash -euo pipefail -c 'source scripts/lib.sh; build "$@"' build "$@"
}

# The sanitized builds hold the cpu family once, at the widest level that this CPU has.
level=2
grep -qw avx2 /proc/cpuinfo && level=3
[ "$(grep -m1 ^flags /proc/cpuinfo | grep -owE 'avx512(f|bw|cd|dq|vl)' | wc -l)" = 5 ] && level=4

# Up to GCC 13 and clang 16 their libraries take a plug-in's thread-local variables that lie 16 bytes behind a page's
# beginning for glibc 2.19's, and LeakSanitizer dies reading them. They are found without this, through the heap.
export ASAN_OPTIONS=intercept_tls_get_addr=0

if fits 120 package; then
  run_check package tests/package/run.sh build/release
fi

if fits 750 asan; then
  say "address and undefined behaviour: kernels, tensors, what reads files, burin serve"
  build_check asan -DBURIN_CPU_LEVEL=$level \
    burin_kernels_tests burin_tensor_tests burin_data_tests burin_serve_tests
  export BURIN_ALLOCATOR=plain
  # Wrong kernels, to see them caught, take minutes here; f16 goes the way of bf16.
  slow='*CasesCatchWrongKernels:Attention.*16Bits*:*Misaligned/*_f16_*'
  for name in kernels tensor data serve; do
    run_tests "asan_$name" "build/asan/bin/burin_${name}_tests" --gtest_filter="-$quick:$slow"
  done
  unset BURIN_ALLOCATOR
fi

# One compute thread: libgomp is not instrumented, its barriers would look like races.
if fits 350 tsan; then
  say "races: dispatch, the allocator, the loader, burin serve"
  build_check tsan -DBURIN_CPU_LEVEL=$level burin_threads_tests
  run_tests tsan env OMP_NUM_THREADS=1 TSAN_OPTIONS=halt_on_error=1:suppressions=tests/support/tsan.supp \
    build/tsan/bin/burin_threads_tests \
    --gtest_filter="*Threads*:Allocator*:Loader*:Scan*:*BatchSource*:Serve*-$quick:*Nasty*"
fi

if fits 280 fuzz; then
  say "fuzzing"  # in a fresh build folder always the same inputs; other seeds are for whoever looks for more
  if has_libfuzzer; then
    build_check fuzz fuzzers
    for program in build/fuzz/bin/burin_*_fuzz; do
      name=$(name_of "$program")
      corpus=build/fuzz/corpus/$name  # what is found anew; the committed files are only read
      mkdir -p "$corpus"
      start_check "fuzz_$name" "$program" -seed=1 -runs=100000 -max_total_time=90 -timeout=10 -rss_limit_mb=2048 \
        "$corpus" "tests/fuzz/corpus/${name%_fuzz}"
      [ ${#checks[@]} -lt "$(nproc)" ] || end_checks
    done
    end_checks
  else
    run_check fuzz sh -c 'echo "clang with libFuzzer is not installed"; exit 77'
  fi
fi

# f16 goes the way of bf16. Only the first check sees a misaligned vector.
for check in asan race; do
  fits 260 "emulator_cases_$check" || continue
  say "the CUDA kernels on the emulator, with the $check check: every case but f16"
  build_check release "burin_every_case_$check"
  cases='*SlowEmulatedCase*'
  [ "$check" = race ] || cases+=':*MisalignedCase*'
  run_shards "emulator_cases_$check" "build/release/bin/burin_every_case_$check" --gtest_filter="$cases-*_f16_*"
done

if fits 200 exhaustive; then
  say "the kernels' cases in every order of threads, and those of real networks' size"
  for program in build/release/bin/burin_*_tests; do
    [ -z "$("$program" --gtest_list_tests --gtest_filter="$exhaustive")" ] ||
      run_shards "$(name_of "$program")_exhaustive" "$program" --gtest_filter="$exhaustive-*MisalignedCase*"
  done
fi

if fits 480 tidy; then
  run_check tidy tests/house/tidy.sh build/release
fi
if fits 300 cuda_compiles; then
  run_check cuda_compiles tests/cuda/run.sh
fi

finish
