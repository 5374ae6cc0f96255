#!/usr/bin/env bash
# What the pages point at is there: files behind links, and the line that the page on the emulator stops at.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

broken=0
mapfile -t pages < <(find . -name '*.md' ! -path '*/build/*' ! -path '*/node_modules/*' -printf '%P\n')
for page in "${pages[@]}"; do
  while read -r link; do
    target=$(dirname "$page")/${link%%#*}
    if [ ! -e "$target" ]; then
      echo "$page: its link to $link leads nowhere"
      broken=1
    fi
  done < <(grep -oE '\]\([^)]+\)' "$page" | sed 's/^](//; s/)$//' | grep -vE '^(https?:|#)')
done

page=docs/cuda_without_a_gpu.md
line=$(grep -oE 'break matmul[.]cu:[0-9]+' "$page" | grep -oE '[0-9]+$')
if ! sed -n "${line}p" kernels/cuda/matmul.cu | grep -q 'for (int k = 0; k < 32; ++k) sum +='; then
  echo "$page stops at matmul.cu:$line, and the loop stands in line" \
    "$(grep -n 'for (int k = 0; k < 32; ++k) sum +=' kernels/cuda/matmul.cu | cut -d: -f1)"
  broken=1
fi
exit $broken
