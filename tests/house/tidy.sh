#!/usr/bin/env bash
# usage: tidy.sh BUILD. clang-tidy over the library and the command, their headers with them; .clang-tidy
# says which checks. Minutes long, so that `test.sh --all` alone runs it. Without the analyzer, which takes
# five times as long as all else together: `clang-tidy -p BUILD FILE` has it.
set -euo pipefail
build=$(realpath "${1:?the build folder}")
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
if [ -z "$tidy" ]; then
  echo "clang-tidy is not installed"
  exit 77
fi
if ! "$tidy" --version | grep -q 'version 14\.'; then
  echo "$("$tidy" --version | grep -m 1 version): versions differ in what they find, .clang-tidy is written for 14"
  exit 77
fi

# Each file's first command: levels of x86-64 and emulators with sanitizers compile some files again.
logs=$build/tidy
rm -rf "$logs"
mkdir -p "$logs"
awk '/^\{/ { command = "" }
     { command = command $0 "\n" }
     /^  "file":/ { file = $0 }
     /^\}/ && !seen[file]++ { sub(/,\n$/, "\n", command); printf "%s%s", (files++ ? "," : "["), command }
     END { print "]" }' "$build/compile_commands.json" >"$logs/compile_commands.json"

within=$(printf '|%s' "${library[@]}" apps)
mapfile -t files < <(sed -nE "s#^  \"file\": \"$PWD/((${within#|})/.*)\",?\$#\1#p" "$logs/compile_commands.json")
[ ${#files[@]} -gt 0 ] || { echo "$build compiles no file of the library"; exit 1; }

check_file() {
  local log
  log=$logs/$(tr / . <<<"$1")
  "$tidy" -p "$logs" --quiet '--checks=-clang-analyzer-*' "$1" >"$log" 2>&1 && rm "$log"
}
export -f check_file
export tidy logs

status=0
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c 'check_file "$1"' _ {} || status=1
# What is found in a header is found again wherever it is included, through the build folder's link.
find "$logs" -type f ! -name '*.json' -exec cat {} + |
  grep -vE '^([0-9]+ warnings? .*generated|[0-9]+ warnings? treated as errors|Suppressed [0-9]+ warnings|Use -header-filter)' |
  sed "s#^$build/include/burin/##; s#^$PWD/##" | awk 'BEGIN { new = 1 } /: (error|warning): / { new = !seen[$0]++ } new' || true
exit $status
