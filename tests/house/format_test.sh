#!/usr/bin/env bash
# Every file is as clang-format 14 leaves it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

format=$(command -v clang-format-14 || command -v clang-format || true)
if [ -z "$format" ]; then
  echo "clang-format is not installed"
  exit 77
fi
if ! "$format" --version | grep -q 'version 14\.'; then
  echo "$("$format" --version): versions differ in what they do, this is written for 14"
  exit 77
fi
find "${code[@]}" \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' \) -print0 | xargs -0 -P "$(nproc)" -n 16 "$format" --dry-run -Werror
