#!/usr/bin/env bash
# Shows a compiler's output and fails if it holds a warning or an error.
set -euo pipefail
output=$(mktemp)
trap 'rm -f "$output"' EXIT
tee "$output"
if grep -qE '^(warning|error)' "$output"; then
  echo "lint: there are warnings or errors above" >&2
  exit 1
fi
