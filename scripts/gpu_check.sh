#!/usr/bin/env bash
# Everything that only a GPU can tell, in at most 10 minutes: every kernel against its definition, there and on the
# emulator, compute-sanitizer, every kernel timed, a short training. Prints a table, writes JSON.
#   scripts/gpu_check.sh [--device cuda|emulator] [--json FILE]
# With --device emulator it goes through the same motions where there is no GPU. Takes build/cuda as scripts/gpu_bundle.sh
# packed it, or builds it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib.sh

device=cuda
json=build/gpu_check.json
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=$2; shift 2 ;;
    --json) json=$2; shift 2 ;;
    *) die "usage: scripts/gpu_check.sh [--device cuda|emulator] [--json FILE]" ;;
  esac
done
budget=600  # seconds in all
bin=build/cuda/bin
logs=build/gpu_check
export LD_LIBRARY_PATH=$PWD/build/cuda/lib:${LD_LIBRARY_PATH:-}
export PATH=$PATH:/usr/local/cuda/bin

gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true)
if [ "$device" = cuda ] && [ -z "$gpu" ]; then
  echo "no GPU here: nvidia-smi finds none"
  exit 77
fi
[ -x $bin/burin ] || build cuda
mkdir -p $logs

rows=()
# check NAME SECONDS COMMAND…: one row of the table; its output goes to a log. Exit status 77 is a skip.
check() {
  local name=$1 most=$2 status=0 started=$SECONDS left=$((budget - SECONDS)) result
  shift 2
  if [ "$left" -lt 10 ]; then
    result="skipped: the $budget s are over"
  else
    timeout $((left < most ? left : most)) bash -c '"$@"' _ "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
    case $status in
      0) result=ok ;;
      77) result="skipped: $(tail -n 1 "$logs/$name.log")" ;;
      124) result="out of time" ;;
      *) result="FAILED ($status)" ;;
    esac
  fi
  rows+=("$name|$result|$((SECONDS - started))|$(tail -n 1 "$logs/$name.log" 2>/dev/null | tr -d '"\\|')")
  printf '%-24s %5d s  %s\n' "$name" $((SECONDS - started)) "$result"
}

# sanitized TOOL OP: the op's cases under a tool of compute-sanitizer. No caching, so that bounds are true.
sanitized() {
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not installed"; return 77; }
  BURIN_ALLOCATOR=plain compute-sanitizer --tool "$1" --error-exitcode 1 \
    $bin/burin kernels check "$2" --device cuda --impl cuda
}

train() {
  [ -d data/fashion-mnist ] || { echo "no data/fashion-mnist in this tree"; return 77; }
  rm -rf $logs/run
  $bin/burin train data/fashion-mnist --device "$device" --epochs 1 --model resnet18 --weights none \
    --project $logs --name run --exist-ok --no-plots
}

export -f sanitized train  # timeout starts a shell of its own
export bin logs device

# On the emulator a few ops stand for all: what is tried then is this script.
ops=('')
[ "$device" != emulator ] || ops=(activation softmax)

check families 60 $bin/burin kernels activation --why
for op in "${ops[@]}"; do
  check "kernels_${op:-all}" 240 $bin/burin kernels check ${op:+"$op"} --device "$device"
  check "emulator_${op:-all}" 240 $bin/burin kernels check ${op:+"$op"} --device emulator
done
if [ "$device" = cuda ]; then
  for op in softmax batch_norm reduce; do
    check "memcheck_$op" 60 sanitized memcheck $op
    check "racecheck_$op" 60 sanitized racecheck $op
  done
  check kernels_bench 120 $bin/burin kernels bench --device cuda --seconds 0.05
fi
check train 120 train

{
  printf '{"device": "%s", "gpu": "%s", "revision": "%s", "checks": [' "$device" "$gpu" \
    "$(git describe --always --dirty 2>/dev/null || echo bundle)"
  separator=''
  for row in "${rows[@]}"; do
    IFS='|' read -r name result seconds last <<<"$row"
    printf '%s\n  {"name": "%s", "result": "%s", "seconds": %s, "last_line": "%s"}' \
      "$separator" "$name" "$result" "$seconds" "$last"
    separator=,
  done
  printf '\n]}\n'
} >"$json"
echo "written: $json; logs in $logs"
! printf '%s\n' "${rows[@]}" | grep -qE '\|(FAILED|out of time)'
