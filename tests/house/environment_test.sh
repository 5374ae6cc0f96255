#!/usr/bin/env bash
# docs/environment.md tells of every environment variable of ours that the code reads, and of no other.
# An option's variable is made of its name, and is no word in the code.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

page=docs/environment.md
read_by_code=$({
  grep -rh 'BURIN_' "${library[@]}" apps bench --include=*.h --include=*.cpp --include=*.cu | sed 's,//.*,,' |
    grep -oE '"BURIN_[A-Z_]+"'
  grep -rhoE '(getenv|environ[.]get)\("BURIN_[A-Z_]+"' tests scripts --include=*.h --include=*.cpp --include=*.py
} | grep -oE 'BURIN_[A-Z_]+' | sort -u)
told_of=$(grep -oE '^\| `BURIN_[A-Z_]+' "$page" | grep -oE 'BURIN_[A-Z_]+' | sort -u)

broken=0
for name in $(comm -23 <(echo "$read_by_code") <(echo "$told_of")); do
  echo "$name is read, and $page does not say what it does"
  broken=1
done
for name in $(comm -13 <(echo "$read_by_code") <(echo "$told_of")); do
  echo "$name stands in $page, and nothing reads it"
  broken=1
done
exit $broken
