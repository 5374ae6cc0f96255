#!/usr/bin/env bash
# usage: tidy.sh BUILD, by hand: test.sh does not run it, since the tree does not pass it yet.
# clang-tidy over the library and the command (.clang-tidy says which checks). Without the analyzer, which
# takes five times as long as all else together: run `clang-tidy -p build/release FILE` for that.
set -euo pipefail
build=$(realpath "${1:?the build folder}")
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
if [ -z "$tidy" ]; then
  echo "clang-tidy is not installed"
  exit 77
fi
mapfile -t folders < <(existing "${library[@]}" apps)
find "${folders[@]}" -name '*.cpp' -print0 |
  xargs -0 -P "$(nproc)" -n 1 "$tidy" -p "$build" --quiet '--checks=-clang-analyzer-*' 2>/dev/null
