#!/usr/bin/env bash
# A folder includes itself and what is below it; families know neither each other nor does anybody know
# them; inside and outside, headers are named "burin/…". Read from the #include lines.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/folders.sh"

mapfile -t layers < <(existing "${library[@]}" apps)
find "${layers[@]}" -regex '.*[.]\(h\|cpp\|cu\)' -print0 | xargs -0 awk '
  BEGIN {  # what the files of a folder may include besides their own folder
    below["kernels/base"] = " "
    below["kernels"] = " kernels/base "
    below["family"] = " kernels kernels/base "  # kernels/cpu, …, and kernels/check
    below["tensor"] = " kernels kernels/base "
    below["nn"] = " tensor kernels kernels/base "
    below["models"] = " nn tensor kernels kernels/base "
    below["data"] = " kernels/base "
    below["apps"] = " models data nn tensor kernels kernels/check kernels/base "
  }
  # kernels/cpu/support/gemm.h → kernels/cpu; tensor/ops/add.h → tensor
  function layer(path, parts) {
    return split(path, parts, "/") > 2 && parts[1] == "kernels" ? parts[1] "/" parts[2] : parts[1]
  }
  /^ *# *include +"/ {
    split($0, quoted, "\"")
    header = quoted[2]
    if (header == "burin/version.h") next
    from = layer(FILENAME)
    to = layer(substr(header, 7))
    allowed = below[from] ? below[from] : below["family"]
    if (header !~ /^burin\//) {
      broken = 1
      printf "%s:%d: %s is not named \"burin/…\"\n", FILENAME, FNR, header
    } else if (from != to && !index(allowed, " " to " ")) {
      broken = 1
      printf "%s:%d: %s may not include from %s\n", FILENAME, FNR, from, to
    }
  }
  END { exit broken }'
