#!/usr/bin/env bash
# usage: tests/package/run.sh BUILD: installs BUILD into a folder of its own, and builds and runs the
# outside consumer against that; then once more with our sources in a subdirectory of its project.
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

# In a subdirectory, with the least that is to be compiled. The project above keeps its build type, gets no tests, and
# does not build what only we need.
sub=$work/subdirectory
cmake -S "$here" -B "$sub" -DBURIN_SOURCE="$here/../.." -DBURIN_CPU_LEVELS= -DBURIN_ONEDNN=OFF \
  -DBURIN_OPTIMISE=-O0 -DBURIN_OPTIMISE_KERNELS=-O0
for setting in CMAKE_BUILD_TYPE:STRING= BURIN_APPS:BOOL=OFF BURIN_EMULATOR:BOOL=OFF BURIN_WERROR:BOOL=OFF; do
  grep -qx "$setting" "$sub/CMakeCache.txt" || { echo "CMakeCache.txt does not say $setting"; exit 1; }
done
(cd "$sub" && ctest -N) | grep -qx 'Total Tests: 0' || { echo "the project got tests"; exit 1; }
cmake --build "$sub" --target use_kernels --parallel "$(nproc)"
"$sub/use_kernels"
