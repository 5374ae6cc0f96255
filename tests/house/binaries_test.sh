#!/usr/bin/env bash
# usage: binaries_test.sh BUILD
# The core libraries run on every x86-64-v2 CPU: disassembled, they hold no AVX instruction but in functions that say so
# in their name and are called where the CPU has it. The higher levels do hold theirs. Every plug-in exports burin_plugin
# and nothing else, the core libraries nothing of Eigen and nlohmann's JSON: an embedder's own copies would take its place.
set -euo pipefail
lib=${1:?the build folder}/lib
command -v objdump >/dev/null || { echo "objdump (binutils) is not installed"; exit 77; }

# AVX and later by their VEX mnemonics and registers, BMI by name (tzcnt is left out: old CPUs run it as bsf).
avx() {
  objdump -d --no-show-raw-insn "$1" | awk '
    /^[0-9a-f]+ </ { named = tolower($0) ~ /avx2/ }
    !named && (/%[yz]mm|	v[a-z0-9]+ .*%xmm/ || /	(k(mov|or|and|test)[bwdq]|andn|bextr|lzcnt|mulx|pdep|pext|rorx) /) { ++count }
    END { print count + 0 }'
}
zmm() { objdump -d --no-show-raw-insn "$1" | grep -c '%zmm' || true; }

foreign() {
  local names
  names=$(nm -DC --defined-only "$1") || return
  grep -cE 'Eigen::|nlohmann::|stbi_' <<<"$names" || true
}

broken=0
complain() { echo "$@"; broken=1; }
for core in libburin_kernels.so libburin.so; do
  [ "$(foreign "$lib/$core")" = 0 ] || complain "$core exports templates of other projects"
done
if [ "$(uname -m)" = x86_64 ]; then
  for core in libburin_kernels.so libburin.so; do
    [ "$(avx "$lib/$core")" = 0 ] || complain "$core holds instructions above x86-64-v2"
  done
  [ "$(avx "$lib/libburin_cpu_v3.so")" -gt 100 ] || complain "libburin_cpu_v3.so is not built for x86-64-v3"
  [ "$(zmm "$lib/libburin_cpu_v3.so")" = 0 ] || complain "libburin_cpu_v3.so holds AVX-512 instructions"
  [ "$(zmm "$lib/libburin_cpu_v4.so")" -gt 100 ] || complain "libburin_cpu_v4.so is not built for x86-64-v4"
fi
for plugin in "$lib"/libburin_cpu_*.so "$lib"/libburin_family_*.so; do
  [ -e "$plugin" ] || continue
  exported=$(nm -D --defined-only "$plugin" | awk '{ print $NF }' | xargs)
  [ "$exported" = burin_plugin ] || complain "$plugin exports more than burin_plugin: $exported"
done
exit $broken
