#!/usr/bin/env bash
# What the text of the library may not hold: it never aborts, exits or prints (std::clog under BURIN_LOG
# is a log), has no macros of its own, leaves nothing for later, and its headers show no vendor's.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

# code_with PATTERN FILE…: lines whose code, comments left out, matches.
code_with() {
  local pattern=$1
  shift
  awk -v pattern="$pattern" '{ line = $0; sub(/\/\/.*/, "", line) }
    line ~ pattern { printf "%s:%d: %s\n", FILENAME, FNR, $0; found = 1 } END { exit !found }' "$@"
}
mapfile -t sources < <(find "${library[@]}" -name '*.h' -o -name '*.cpp' -o -name '*.cu')
# Headers others may include: not those of families, of the cases, or of support folders.
mapfile -t public_headers < <(
  find "${library[@]}" -name '*.h' ! -path 'kernels/*/*' ! -path '*/support/*'
  find kernels/base -name '*.h'
)

broken=0
if code_with \
  '(^|[^_a-zA-Z0-9.>])(abort|exit|_Exit|quick_exit|terminate|assert|v?f?printf|f?puts|putchar) *[(]|std::(cout|cerr)' \
  "${sources[@]}"; then
  echo "the library never aborts, exits or prints: throw Error with check() or fail()"
  broken=1
fi
if code_with '^ *# *define' "${sources[@]}" | grep -vE ' (EIGEN|STB)[A-Z]*_|^kernels/emulator/dialect/keywords[.]h:'; then
  echo "no macros: see STYLE, section 5"
  broken=1
fi
if grep -rnwE 'TODO|FIXME|XXX|HACK' "${code[@]}" --include=*.h --include=*.cpp --include=*.cu; then
  echo "nothing is left for later"
  broken=1
fi
if code_with '^ *# *include *<[^>]*[.\/]' "${public_headers[@]}" | grep -v '<omp.h>'; then
  echo "a public header includes standard headers and burin's only"
  broken=1
fi
exit $broken
