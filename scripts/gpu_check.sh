#!/usr/bin/env bash
# Everything that only a GPU can tell, in at most 10 minutes: every kernel against its definition, there and on the
# emulator, compute-sanitizer, every kernel of a training step timed, whole steps beside PyTorch (where python3 has it),
# a short training. Prints a table and the timings, writes JSON.
#   scripts/gpu_check.sh [--device cuda|emulator] [--json FILE] [--budget SECONDS]
# With --device emulator it goes through the same motions where there is no GPU. Takes build/cuda as scripts/gpu_bundle.sh
# packed it, or builds it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib.sh

device=cuda
json=build/gpu_check.json
budget=590  # seconds in all; half of them at most for a check, the rest for what is timed
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=$2; shift 2 ;;
    --json) json=$2; shift 2 ;;
    --budget) budget=$2; shift 2 ;;
    *) die "usage: scripts/gpu_check.sh [--device cuda|emulator] [--json FILE] [--budget SECONDS]" ;;
  esac
done
bin=build/cuda/bin
logs=build/gpu_check

# Where cuDNN and cuBLASLt may be: the toolkit's folder, or what PyTorch brought.
vendor_libraries() {
  local root
  for root in /usr/local/cuda "$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))' 2>/dev/null)"; do
    [ ! -d "$root" ] || find "$root/" \( -name 'libcudnn.so.9' -o -name 'libcublasLt.so.1[0-9]' \) -printf '%h:' 2>/dev/null
  done
}
LD_LIBRARY_PATH=$PWD/build/cuda/lib:$(vendor_libraries)${LD_LIBRARY_PATH:-}
export LD_LIBRARY_PATH PATH=$PATH:/usr/local/cuda/bin

gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true)
if [ "$device" = cuda ] && [ -z "$gpu" ]; then
  echo "no GPU here: nvidia-smi finds none"
  exit 77
fi
[ -x $bin/burin ] || build cuda -DBURIN_BENCH=ON
rm -rf $logs
mkdir -p $logs
export bin logs device

# begin NAME SECONDS COMMAND…: runs beside others; what it prints goes to a log, its status and time to NAME.end.
begin() {
  local name=$1 most=$2
  shift 2
  (
    status=0 started=$SECONDS left=$((budget - SECONDS))
    [ $left -gt 0 ] || { echo "nothing left of $budget s" >"$logs/$name.log"; echo "124 0" >"$logs/$name.end"; exit; }
    # A kernel that hangs does not hear the first signal, and a training saves what it has at that.
    timeout -k 5 $((left < most ? left : most)) bash -c '"$@"' _ "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
    echo "$status $((SECONDS - started))" >"$logs/$name.end"
  ) &
}

# row NAME: one row of the table. Exit status 77 is a skip, its last line says why.
rows=()
row() {
  local status seconds result
  read -r status seconds <"$logs/$1.end"
  case $status in
    0) result=ok ;;
    77) result="skipped: $(tail -n 1 "$logs/$1.log")" ;;
    124 | 137) result="out of time" ;;
    *) result="FAILED ($status)" ;;
  esac
  rows+=("$1|$result|$seconds|$(tail -n 1 "$logs/$1.log" 2>/dev/null | tr -d '"\\|')")
  printf '%-36s %5d s  %s\n' "$1" "$seconds" "$result"
}

# A folder's worth of results as one JSON object: also of a run that was cut short.
write_json() {
  local row name result seconds last separator=''
  printf '{"device": "%s", "gpu": "%s", "revision": "%s", "date": "%s",\n"nvcc": "%s", "pytorch": "%s",\n"checks": [' \
    "$device" "$gpu" "$(cat build/cuda/revision 2>/dev/null || git describe --always --dirty)" "$(date -u +%F)" \
    "$(nvcc --version 2>/dev/null | tail -n 1)" "$(python3 -c 'import torch; print(torch.__version__)' 2>/dev/null || true)"
  for row in "${rows[@]}"; do
    IFS='|' read -r name result seconds last <<<"$row"
    printf '%s\n  {"name": "%s", "result": "%s", "seconds": %s, "last_line": "%s"}' \
      "$separator" "$name" "$result" "$seconds" "$last"
    separator=,
  done
  printf '\n],\n"kernels": [\n'
  [ ! -s $logs/kernels.jsonl ] || grep '}$' $logs/kernels.jsonl | sed '$!s/$/,/'
  printf '],\n"steps": '
  if [ -s $logs/steps.json ]; then cat $logs/steps.json; else printf '{}'; fi
  printf '\n}\n'
}
trap 'write_json >"$json"' EXIT

# alone NAME SECONDS COMMAND…: the same with nothing beside it, for what is timed.
alone() {
  begin "$@"
  wait
  row "$1"
}

# sanitized TOOL OP IMPLEMENTATION: its cases under a tool of compute-sanitizer. Without caching, so that bounds are
# true, and without the vendors' families, whose plans would take most of the time.
sanitized() {
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not installed"; return 77; }
  LD_LIBRARY_PATH=$PWD/build/cuda/lib BURIN_ALLOCATOR=plain compute-sanitizer --tool "$1" --error-exitcode 1 \
    $bin/burin kernels check "$2" --device cuda --impl "$3"
}

train() {
  [ -d data/fashion-mnist ] || { echo "no data/fashion-mnist in this tree"; return 77; }
  $bin/burin train data/fashion-mnist --device "$device" --epochs 1 --batch-size 128 --amp bf16 --model resnet18 \
    --weights none --project $logs --name run --exist-ok --no-plots
}

beside_pytorch() {
  python3 -c 'import torch, torchvision; assert torch.cuda.is_available()' 2>/dev/null ||
    { echo "python3 has no PyTorch with CUDA and torchvision"; return 77; }
  python3 bench/libtorch/compare_gpu.py $bin/step_bench "$@"
}
export -f sanitized train beside_pytorch  # timeout starts a shell of its own

ops=$($bin/burin kernels | awk 'NR > 1 && /^[a-z]/ { print $1 }')
ops="$(grep ^conv2d <<<"$ops") $(grep -v ^conv2d <<<"$ops")"  # the longest first
sanitized='conv2d_forward:warpgroup conv2d_backward_data:warpgroup conv2d_backward_weight:warpgroup
conv2d_forward:stem_warpgroup conv2d_backward_weight:stem_warpgroup batch_norm_train:vector batch_norm_backward:vector
batch_norm_max_pool_train:vector batch_norm_max_pool_backward:vector max_pool2d_backward:vector
softmax_forward:warp_per_row adam_step:multi matmul:tensor_cores matmul:warpgroup layer_norm_backward:warp_per_row
attention_forward:tensor_cores attention_backward:tensor_cores conv2d_forward:cluster matmul:cluster
batch_norm_train:cluster batch_norm_train:cooperative'
checked_on="$device emulator"
# On the emulator a few ops stand for all: what is tried then is this script.
[ "$device" != emulator ] || { ops='activation_forward softmax_forward'; checked_on=emulator; }

cores=$(nproc)
echo "== $gpu, $cores cores: every kernel against its definition"
alone families 60 $bin/burin kernels activation --why --device "$device"
names=()
# check NAME COMMAND…: three for four cores at a time. More contexts take turns on a GPU so slowly that each waits for the
# others.
check() {
  while [ "$(jobs -rp | wc -l)" -ge $(((3 * cores + 3) / 4)) ]; do wait -n || true; done
  begin "$1" $((budget / 2)) "${@:2}"
  names+=("$1")
}
if [ "$device" = cuda ]; then  # what is timed later wants it: it may take longer than a check
  begin pytorch_compiles $((budget * 2 / 3)) beside_pytorch --warm
  names=(pytorch_compiles)
fi
export OMP_NUM_THREADS=1  # many processes, small cases
if [ "$device" = cuda ]; then
  check step_graph $bin/burin_tensor_tests --gtest_filter='*cuda*-*DeviceMemory*'
  check beyond_cases $bin/burin_kernels_tests --gtest_filter='*/cuda'  # NaN and infinities
  for pair in $sanitized; do
    for tool in memcheck racecheck; do
      check "${tool}_${pair/:/_}" sanitized $tool "${pair%:*}" "cuda/${pair#*:}"
    done
  done
fi
for where in $checked_on; do
  for op in $ops; do
    case $where:$op in
      cuda:conv2d_*)  # the longest: a family at a time
        for family in cuda cudnn; do
          check "cuda_${op}_$family" $bin/burin kernels check "$op" --device cuda --impl $family
        done ;;
      *) check "${where}_$op" $bin/burin kernels check "$op" --device "$where" ;;
    esac
  done
done
wait
for name in "${names[@]}"; do row "$name"; done
unset OMP_NUM_THREADS

if [ "$device" = cuda ]; then
  alone device_memory 60 $bin/burin_tensor_tests --gtest_filter='*DeviceMemory*cuda*'  # takes all of it
  echo "== timings, one after the other"
  export BURIN_AUTOTUNE=1
  alone kernels_bench 60 bash -c '$bin/burin_device_bench >$logs/kernels.jsonl'
  alone steps_bench 200 beside_pytorch --json $logs/steps.json
  cat $logs/steps_bench.log
fi
alone train 90 train

echo "written: $json; logs in $logs"
! printf '%s\n' "${rows[@]}" | grep -qE '\|(FAILED|out of time)'
