#!/usr/bin/env bash
# Packs what scripts/gpu_check.sh needs on a machine with a GPU and no package manager: the sources, what was built of
# them with the preset `cuda`, the shared libraries those need beside the C library's, and data to train on.
#   scripts/gpu_bundle.sh [OUT.tar.gz]       default build/gpu_bundle.tar.gz; at most 60 MB
# There: tar xzf gpu_bundle.tar.gz && cd burin && scripts/gpu_check.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib.sh

out=$(realpath -m "${1:-build/gpu_bundle.tar.gz}")
limit=$((60 * 1000 * 1000))
programs=(burin burin_kernels_tests burin_tensor_tests burin_device_bench step_bench)
fashion=/usr/share/datasets/fashion-mnist

build cuda -DBURIN_BENCH=ON
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/burin
mkdir -p "$root/build/cuda/bin" "$root/build/cuda/lib" "$root/data"
git archive HEAD | tar x -C "$root"

for program in "${programs[@]}"; do cp "build/cuda/bin/$program" "$root/build/cuda/bin/"; done
for library in burin burin_kernels burin_cpu_v4 burin_family_cuda burin_family_cudnn burin_family_emulator; do
  cp -a "build/cuda/lib/lib$library".so* "$root/build/cuda/lib/"
done
git describe --always --dirty >"$root/build/cuda/revision"
strip --strip-debug "$root"/build/cuda/bin/* "$root"/build/cuda/lib/*.so* 2>/dev/null || true

# The C library, its companions, and CUDA's own belong to the machine; the rest goes along.
ldd "$root"/build/cuda/bin/* "$root"/build/cuda/lib/*.so 2>/dev/null |
  awk '$3 ~ /^\// { print $3 }' | sort -u |
  grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux.*|libcu[a-zA-Z_]*|libnv[a-zA-Z]*|libburin.*)\.so' |
  while read -r library; do cp -L "$library" "$root/build/cuda/lib/"; done

if [ -d "$fashion" ]; then
  mkdir -p "$root/data/fashion-mnist"
  cp "$fashion"/t10k-*.gz "$root/data/fashion-mnist/"
  # The 10,000 test images serve as both parts: what is checked is that training works, not how well.
  for part in images-idx3 labels-idx1; do
    cp "$fashion/t10k-$part-ubyte.gz" "$root/data/fashion-mnist/train-$part-ubyte.gz"
  done
fi

tar cz -C "$stage" -f "$out" burin
size=$(stat -c %s "$out")
[ "$size" -le $limit ] || die "$out has $size bytes, more than $limit"
echo "$out: $size bytes"
