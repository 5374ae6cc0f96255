#!/usr/bin/env bash
# Each target that a script or a page builds by name exists.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

lists=$(git ls-files '*CMakeLists.txt' '*.cmake')
broken=0
while IFS=: read -r file targets; do
  for target in ${targets#--target }; do
    if [ "$target" != help ] && ! grep -qE "(add_executable|add_library|add_custom_target|burin_[a-z_]+)\($target\b" $lists; then
      echo "$file builds $target, which no CMakeLists.txt has"
      broken=1
    fi
  done
done < <(git grep -oE -- '--target( [a-z][a-z0-9_]+)+' -- '*.sh' '*.md')
exit $broken
