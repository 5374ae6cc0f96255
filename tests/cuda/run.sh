#!/usr/bin/env bash
# Compiles the GPU families, warnings as errors, and reads what ptxas says of each kernel: those that claim speed keep
# everything in registers. Needs nvcc, no GPU; without it the last line says so, with status 77.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
[ -x "$nvcc" ] || { echo "the CUDA toolkit is not installed"; exit 77; }

# A build of its own: only a compiler that runs reports, and the report is what is wanted. Of the oldest GPUs that the
# kernels can be built for, PTX alone.
build=build/cuda_report
cmake --preset cuda -B $build -DBURIN_TESTS=OFF -DBURIN_APPS=OFF -DBURIN_EMULATOR=OFF -DBURIN_ONEDNN=OFF \
  -DBURIN_CPU_LEVELS= "-DCMAKE_CUDA_ARCHITECTURES=80-virtual;90" -DCMAKE_CUDA_FLAGS=-Xptxas=-v >/dev/null
cmake --build $build --target help | grep -q burin_family_cuda ||
  { echo "the CUDA toolkit that is installed can't be used"; exit 77; }
targets=(burin_family_cuda)
if cmake --build $build --target help | grep -q burin_family_cudnn; then targets+=(burin_family_cudnn); fi
log=$build/ptxas.log
find $build -name '*.cu.o' -delete
cmake --build $build --target "${targets[@]}" >$log 2>&1 || { tail -n 60 $log; exit 1; }

# "Compiling entry function 'NAME'", then its "N bytes stack frame, N bytes spill stores, N bytes spill loads".
awk '
  /Compiling entry function/ { split($0, part, "\047"); kernel = part[2]; ++kernels }
  /bytes spill stores/ && kernel != "" {
    if ($5 + $9 > 0) print kernel, $5, "bytes spilled"
    kernel = ""
  }
  END { if (kernels < 50) { print "ptxas reported on", kernels + 0, "kernels only"; exit 1 } }
' $log >$build/spills.txt || { cat $build/spills.txt; exit 1; }
fast='gemm_warpgroup|_vector|_cluster|_multi|conv2d_pad|conv2d_pair|warp_per_row|attention_.*_tensor_cores'
if grep -E "$fast" $build/spills.txt; then
  echo "a kernel that claims speed spills registers"
  exit 1
fi
if grep -E 'C75[0-9][0-9]' $log; then
  echo "ptxas can't overlap the matrix instructions of a warpgroup"
  exit 1
fi
echo "$(grep -c 'Compiling entry function' $log) kernels compiled; of the plain ones $(wc -l <$build/spills.txt) spill"
