#!/usr/bin/env bash
# Files a reader can hold in the head: at most 400 lines.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

broken=0
while read -r lines file; do
  if [ "$lines" -gt 400 ]; then
    echo "$file has $lines lines, more than 400"
    broken=1
  fi
done < <(find "${code[@]}" cmake scripts -type f -regex '.*[.]\(h\|cpp\|cu\|sh\|cmake\)' \
  -exec wc -l {} + | grep -v ' total$')
exit $broken
