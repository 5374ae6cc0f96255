#!/usr/bin/env bash
# Each folder of code says in a README.md what lives there and how to add to it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

# A folder of helpers (support/, those of kernels/emulator/) is its parent's, and the folders of tests/ are
# told of in tests/README.md.
broken=0
for folder in $(find "${code[@]}" cmake scripts -type f -regex '.*[.]\(h\|cpp\|cu\|sh\|cmake\)' -printf '%h\n' |
  grep -vE '/support$|^tests/|^kernels/emulator/' | sort -u); do
  if [ ! -f "$folder/README.md" ]; then
    echo "$folder has no README.md"
    broken=1
  fi
done
exit $broken
