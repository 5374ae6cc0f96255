#!/usr/bin/env bash
# What the pages point at is there: files behind links, the lines that debuggers stop at, and the lines of code that stand
# below "```cpp FILE", indented as may be and with … where lines are left out.
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

# stops_at PAGE FILE LINE: the page's breakpoint in a file of that name is where the file has that line.
stops_at() {
  local page=$1 file=$2 text=$3 line
  line=$(grep -oE "break ${file##*/}:[0-9]+" "$page" | grep -oE '[0-9]+$')
  if ! sed -n "${line}p" "$file" | grep -qF "$text"; then
    echo "$page stops at ${file##*/}:$line, and '$text' stands in line $(grep -nF "$text" "$file" | cut -d: -f1)"
    broken=1
  fi
}
stops_at docs/cuda_without_a_gpu.md kernels/cuda/matmul.cu 'for (int k = 0; k < 32; ++k) sum +='
stops_at docs/reading_an_op.md kernels/cuda/support/conv2d_tensor_tile.h 'copy_async_16_cached(tile + AlongK'
stops_at docs/reading_an_op.md kernels/cuda/support/gemm_tensor_cores.h 'multiply_add(at[i][2 * j], a[i], b[j][0], b[j][1], T());'

# excerpts PAGE: what stands below ```cpp FILE and is not in the file, stretch by stretch between lines of "…".
excerpts() {
  awk '
    function stripped(line) { sub(/^ +/, "", line); return line }
    function open(name, line) {
      file = name
      count = at = size = 0
      while ((getline line < file) > 0) there[++count] = stripped(line)
      close(file)
    }
    function seek(start, i) {  # the stretch, behind the one before
      for (start = at + 1; start + size - 1 <= count; ++start) {
        for (i = 0; i < size && there[start + i] == stretch[i]; ++i) {}
        if (i == size) break
      }
      if (size > 0 && i < size) printf "%s:%d: %s does not have what ends here\n", FILENAME, FNR, file
      at = start + size - 1
      size = 0
    }
    /^```cpp ./ { open($2); next }
    file == "" { next }
    /^```/ { seek(); file = ""; next }
    stripped($0) == "…" { seek(); next }
    { stretch[size++] = stripped($0) }' "$1"
}
for page in "${pages[@]}"; do
  wrong=$(excerpts "$page")
  if [ -n "$wrong" ]; then
    echo "$wrong"
    broken=1
  fi
done
exit $broken
