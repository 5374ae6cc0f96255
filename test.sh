#!/usr/bin/env bash
# Installs what the tests need, builds, runs them, and ends with `N passed, N failed, N skipped`.
#   ./test.sh          every test but the exhaustive ones; at most 15 minutes from a bare machine
#   ./test.sh --quick  without the slow ones: 2 minutes of tests
#   ./test.sh --all    with sanitizers, fuzzing, the outside consumer, format and tidy checks
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/lib.sh

mode=${1:-default}
case $mode in
  --quick) filter='-Slow*:*/Slow*:Exhaustive*:*/Exhaustive*' ;;
  default) filter='-Exhaustive*:*/Exhaustive*' ;;
  --all) filter='*' ;;
  *) die "usage: ./test.sh [--quick|--all]" ;;
esac

need "${build_packages[@]}" "${test_packages[@]}" "${data_packages[@]}"

say "building"
build release

say "testing"
for program in build/release/bin/burin_*_tests; do
  [ -x "$program" ] || continue
  name=$(basename "$program")
  name=${name#burin_}
  run_tests "${name%_tests}" "$program" --gtest_filter="$filter"
done

for rule in tests/house/*_test.sh; do
  run_check "house_$(basename "$rule" _test.sh)" "$rule" build/release
done

if [ "$mode" = --all ]; then
  run_check package tests/package/run.sh build/release
fi

finish
