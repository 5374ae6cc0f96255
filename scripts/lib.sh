# Shared by demo.sh and test.sh: messages, packages, builds, test programs. Sourced from the project's root.
# shellcheck shell=bash
source scripts/packages.sh

say() { printf '\n== %s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# ---- packages ------------------------------------------------------------------------------------

is_installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
is_offered() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

# as_root COMMAND…: as root, or through a sudo that asks nothing.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
can_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

apt_update() { as_root apt-get update -qq </dev/null || true; }
apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
}

# need PACKAGE…: installs what is missing; without root prints the one line that would, and stops.
need() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null; then
    echo "no apt here: taking it that these are installed under other names: $*"
    return
  fi
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  can_be_root || die "missing packages, and this is not root. Run
  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}
and then this script again."
  say "installing ${missing[*]}"
  for package in "${missing[@]}"; do
    is_offered "$package" || { apt_update; break; }
  done
  # Old package lists name files that are gone: a second try with new ones.
  apt_install "${missing[@]}" || { apt_update; apt_install "${missing[@]}"; } ||
    die "apt-get could not install: ${missing[*]}"
}

# want PACKAGE…: like need, but what can't be had is left out.
want() {
  local offered=() package
  command -v dpkg-query >/dev/null && can_be_root || return 0
  for package in "$@"; do
    if ! is_installed "$package" && is_offered "$package"; then offered+=("$package"); fi
  done
  [ ${#offered[@]} -gt 0 ] || return 0
  say "installing ${offered[*]}"
  apt_install "${offered[@]}" || echo "could not be installed: ${offered[*]}"
}

# ---- builds --------------------------------------------------------------------------------------

# build PRESET [-DNAME=VALUE…] [TARGET…]: configures build/PRESET and brings it up to date.
build() {
  local preset=$1 started=$SECONDS log=build/$1.log options=()
  shift
  while [[ ${1:-} == -D* ]]; do
    options+=("$1")
    shift
  done
  mkdir -p build
  cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 || { cat "$log"; die "configuring $preset failed"; }
  if ! cmake --build --preset "$preset" ${1:+--target "$@"} 2>&1 | tee "$log" | show_progress; then
    grep -A 12 -E 'FAILED|error' "$log" | head -60
    die "building $preset failed: $log"
  fi
  echo "$preset built in $((SECONDS - started)) s"
}

# On a terminal, ninja's latest line in place; elsewhere nothing.
show_progress() {
  local line
  if [ ! -t 1 ]; then
    cat >/dev/null
    return
  fi
  while IFS= read -r line; do printf '\r\033[K%.78s' "$line"; done
  printf '\r\033[K'
}

# ---- tests ---------------------------------------------------------------------------------------

passed=0
failed=0
skipped=0
log_folder=build/test-logs
limit=  # by when everything ends, in seconds after the start; empty: never mind

# fits SECONDS NAME: whether what takes about so long on two slow processors ends before the limit. If not, it is
# counted as one skipped test.
fits() {
  [ -n "$limit" ] && [ $((SECONDS + $1)) -gt "$limit" ] || return 0
  skipped=$((skipped + 1))
  printf '%-41s  %4d s  skipped: would not end within %d minutes\n' "  $2" 0 $((limit / 60))
  return 1
}

# bounded COMMAND…: for at most 25 minutes and not beyond the limit, then status 124.
bounded() {
  local seconds=1500
  [ -z "$limit" ] || [ $((limit - SECONDS)) -gt $seconds ] || seconds=$((limit - SECONDS))
  timeout --kill-after=10 "$((seconds > 1 ? seconds : 1))" "$@"
}

# was_cut STATUS: whether it was the limit that ended a command.
was_cut() { [[ $1 = 124 || $1 = 137 ]] && [ -n "$limit" ] && [ "$SECONDS" -ge "$limit" ]; }

# count_log LOG STATUS: adds a test program's results to the sums. A crash counts as a failure.
count_log() {
  local log=$1 status=$2 ok bad left_out
  ok=$(grep -c '^\[       OK \] .* ms)$' "$log" || true)
  bad=$(grep -c '^\[  FAILED  \] .* ms)$' "$log" || true)
  left_out=$(grep -c '^\[  SKIPPED \] .* ms)$' "$log" || true)
  if was_cut "$status"; then
    left_out=$((left_out + 1))
    echo "  skipped from here on: $((limit / 60)) minutes are over"
  elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
    bad=1
    echo "  ended with status $status$([ "$status" = 124 ] && echo ' (out of time)'); its last lines:"
    tail -n 15 "$log" | sed 's/^/  | /'
  fi
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + left_out))
  printf '%6d passed %4d failed %4d skipped' "$ok" "$bad" "$left_out"
}

# Prints the tests that failed in LOG with what they said: 80 lines at most. (All are read: with head, the writer
# would die of SIGPIPE, and this script with it.)
show_failures() {
  awk '/^\[ RUN      \]/ { text = "" }
       { text = text "  | " $0 "\n" }
       /^\[  FAILED  \] .* ms\)$/ { printf "%s", text; text = "" }' "$1" | awk 'NR <= 80'
}

# Prints each reason for skipping in LOG once, with how many tests gave it.
show_skips() {
  awk '/: Skipped$/ { getline reason; count[reason]++ }
       END { for (reason in count) printf "         skipped %d: %s\n", count[reason], reason }' "$1"
}

# run_tests NAME PROGRAM [ARGUMENT…]: one GoogleTest program.
run_tests() {
  local name=$1 status=0 started=$SECONDS
  shift
  mkdir -p "$log_folder"
  bounded "$@" >"$log_folder/$name.log" 2>&1 </dev/null || status=$?
  report_tests "$name" "$status" "$started"
}

# run_shards NAME PROGRAM [ARGUMENT…]: its tests divided among as many processes as there are processors, for
# programs that use one each.
run_shards() {
  local name=$1 count started=$SECONDS status shard shards=()
  shift
  count=$(nproc)
  mkdir -p "$log_folder"
  for ((shard = 0; shard < count; ++shard)); do
    GTEST_TOTAL_SHARDS=$count GTEST_SHARD_INDEX=$shard OMP_NUM_THREADS=1 \
      bounded "$@" >"$log_folder/${name}_$shard.log" 2>&1 </dev/null &
    shards+=($!)
  done
  for ((shard = 0; shard < count; ++shard)); do
    status=0
    wait "${shards[shard]}" || status=$?
    report_tests "${name}_$shard" "$status" "$started"
  done
}

# report_tests NAME STATUS STARTED: what a test program has written into its log.
report_tests() {
  local name=$1 status=$2 started=$3 log=$log_folder/$1.log
  count_log "$log" "$status"
  printf '  %4d s  %s\n' $((SECONDS - started)) "$name"
  show_failures "$log"
  show_skips "$log"
}

# run_check NAME COMMAND…: one command as one test. Exit status 77 skips it, its last line says why.
run_check() {
  start_check "$@"
  end_checks
}

# start_check NAME COMMAND…: the same beside others; end_checks waits for them and tells what became of them.
checks=()  # names; of each the process and when it started
declare -A check_process check_start
start_check() {
  local name=$1
  shift
  mkdir -p "$log_folder"
  bounded "$@" >"$log_folder/$name.log" 2>&1 </dev/null &
  checks+=("$name") check_process[$name]=$! check_start[$name]=$SECONDS
}
end_checks() {
  local name status
  for name in "${checks[@]}"; do
    status=0
    wait "${check_process[$name]}" || status=$?
    report_check "$name" "$status" "${check_start[$name]}"
  done
  checks=()
}

# report_check NAME STATUS STARTED: counts a command as a test.
report_check() {
  local name=$1 status=$2 started=$3 log=$log_folder/$1.log verdict
  if was_cut "$status"; then
    skipped=$((skipped + 1)) verdict="skipped: $((limit / 60)) minutes are over"
  elif [ "$status" = 77 ]; then
    skipped=$((skipped + 1)) verdict="skipped: $(tail -n 1 "$log")"
  elif [ "$status" = 0 ]; then
    passed=$((passed + 1)) verdict=passed
  else
    failed=$((failed + 1)) verdict="FAILED (status $status)"
  fi
  printf '%-41s  %4d s  %s\n' "  $name" $((SECONDS - started)) "$verdict"
  [[ $verdict != FAILED* ]] || tail -n 60 "$log" | sed 's/^/  | /'
}

# The last line of a test run, and its exit status.
finish() {
  printf '\nin %d s\n%d passed, %d failed, %d skipped\n' "$SECONDS" "$passed" "$failed" "$skipped"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
