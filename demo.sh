#!/usr/bin/env bash
# From a bare Debian 12 or Ubuntu machine to a trained ResNet18: installs what is missing, builds burin for this
# machine's CPU, trains, evaluates, predicts.
#   ./demo.sh          on Fashion-MNIST: 60,000 pictures of clothes, from apt
#   ./demo.sh FOLDER   on your own pictures: FOLDER/<class>/*.jpg or FOLDER/{train,val,test}/<class>/*.jpg
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/lib.sh

[ $# -le 1 ] || die "usage: ./demo.sh [FOLDER]"
folder=${1:+$(realpath "$1")}

# The x86-64 level of this CPU: the one that is built, for this machine only.
cpu_level() {
  if grep -qw avx512vl /proc/cpuinfo; then
    echo 4
  elif grep -qw avx2 /proc/cpuinfo; then
    echo 3
  else
    echo 2
  fi
}

need "${build_packages[@]}"
[ -n "$folder" ] || need "${data_packages[@]}"

say "building (about five minutes the first time)"
build demo -DBURIN_CPU_LEVEL="$(cpu_level)"

say "training"
build/demo/bin/burin demo ${folder:+"$folder"}
