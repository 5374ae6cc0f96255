#!/usr/bin/env bash
# burin beside LibTorch (Debian's python3-torch) in its strongest setting, one interleaved run: ResNet-18, ViT-B/16 and
# ConvNeXt V2 tiny at 224×224. Beside ONNX Runtime too, in f32 inference, where it was installed by
#   npm install --prefix build/onnxruntime --ignore-scripts onnxruntime-node
#   scripts/bench_cpu.sh [--rounds N] [--threads 2,1] [--cases resnet18:train:f32:16,vit_base_patch16_224:infer:f32:1,…] [--json FILE]
# Needs python3-torch and python3-torchvision; libopenblas0-openmp and libjemalloc2 make LibTorch faster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

/usr/bin/python3 -c 'import torch, torchvision' 2>/dev/null || {
  echo "bench_cpu: LibTorch is missing: apt-get install python3-torch python3-torchvision libopenblas0-openmp libjemalloc2" >&2
  exit 1
}

source scripts/libtorch.sh

cmake --preset release -DBURIN_BENCH=ON >/dev/null
cmake --build --preset release --target step_bench >/dev/null

grep -m1 'model name' /proc/cpuinfo
/usr/bin/python3 -c 'import torch; print("LibTorch", torch.__version__)'
export ONNXRUNTIME=$PWD/build/onnxruntime/node_modules/onnxruntime-node
peers=()
if [ -d "$ONNXRUNTIME" ]; then
  peers=(--onnxruntime bench/onnxruntime/step.mjs)
  echo "ONNX Runtime $(node -p 'require(process.env.ONNXRUNTIME + "/package.json").version')"
fi
exec /usr/bin/python3 bench/libtorch/compare.py build/release/bin/step_bench bench/libtorch/step.py --preload "$preload" "${peers[@]}" "$@"
