#!/usr/bin/env bash
# usage: tests/package/run.sh BUILD: installs BUILD into a folder of its own, and builds and runs the
# outside consumer against that.
set -euo pipefail
build=$(realpath "${1:?the build folder}")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
work=$build/package
rm -rf "$work"
cmake --install "$build" --prefix "$work/prefix" >/dev/null

cmake -S "$here" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release
cmake --build "$work/consumer"
"$work/consumer/use_kernels"
(cd "$work" && consumer/use_model)

# What was installed stands alone: nothing in it names the folders it was built from.
if grep -rlF "$build" "$work/prefix"; then
  echo "the files above name the build folder $build"
  exit 1
fi
