#!/usr/bin/env bash
# usage: tests/web/run.sh BUILD: the page of `burin serve` in a browser; screenshots come to BUILD/web-screenshots.
# Exit status 77 where no browser can be started, with the reason.
set -euo pipefail
build=$(realpath "${1:?the build folder}")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
python=$(command -v /usr/bin/python3 || command -v python3 || true)
if [ -z "$python" ] || ! "$python" -c 'import json, unittest, urllib.request' 2>/dev/null; then
  echo "Python 3 is not installed"
  exit 77
fi
export PYTHONDONTWRITEBYTECODE=1
exec "$python" -W ignore::ResourceWarning "$here/browser_test.py" "$build/bin/burin" "$build/web-screenshots"
