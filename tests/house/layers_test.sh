#!/usr/bin/env bash
# A folder includes itself and what is below it; families know neither each other nor does anybody know
# them; inside and outside, headers are named "burin/…". Read from the #include lines.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

below() {  # what the files of a folder may include, as folders
  case $1 in
    kernels/base) echo kernels/base ;;
    kernels) echo kernels kernels/base ;;
    kernels/*) echo "$1" kernels kernels/base ;;
    tensor) echo tensor kernels kernels/base ;;
    nn) echo nn tensor kernels kernels/base ;;
    models) echo models nn tensor kernels kernels/base ;;
    data) echo data tensor kernels kernels/base ;;
    apps) echo apps models data nn tensor kernels kernels/check kernels/base ;;
  esac
}

# The layer of a path: kernels/cpu/support/gemm.h → kernels/cpu; tensor/ops/add.h → tensor.
layer_of() {
  case $1 in
    kernels/*/*) echo "$1" | cut -d / -f 1,2 ;;
    *) echo "${1%%/*}" ;;
  esac
}

broken=0
while IFS=: read -r file line include; do
  header=${include#*\"}
  header=${header%%\"*}
  case $header in
    burin/version.h) continue ;;
    burin/*) ;;
    *) echo "$file:$line: $header is not named \"burin/…\""; broken=1; continue ;;
  esac
  from=$(layer_of "$file") to=$(layer_of "${header#burin/}")
  if [[ " $(below "$from") " != *" $to "* ]]; then
    echo "$file:$line: $from may not include from $to"
    broken=1
  fi
done < <(grep -rnE '^ *# *include +"' --include=*.h --include=*.cpp --include=*.cu \
  "${library[@]}" apps 2>/dev/null)
exit $broken
