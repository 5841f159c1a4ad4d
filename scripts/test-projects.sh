#!/usr/bin/env bash
# Checks the starter project and each example, and runs their SQL unit tests.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BIN:=target/debug/cscopilot}"
for project in . examples/*/; do
  echo "== $project"
  "$BIN" check --project "$project"
  "$BIN" test --project "$project" --quiet
done
