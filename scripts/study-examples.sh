#!/usr/bin/env bash
# Runs the nights of the starter project and the examples beside their lakes of every day, then compares the explanations of their models
# with a reference and with XGBoost, and trains crm5's churn model on permuted labels.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BIN:=target/debug/cscopilot}" "${SHARED:=../shared}" "${CARGO_TARGET_DIR:=target}"
work=$CARGO_TARGET_DIR/study-examples
rm -rf "$work" && mkdir -p "$work/examples"
cp -r configs sql pipelines reports cscopilot.yaml "$work/"
cp -r examples/. "$work/examples/"

# Exit code 3: done, with records to look at.
night() { local status=0; "$BIN" run "$@" || status=$?; [ "$status" = 0 ] || [ "$status" = 3 ]; }
study() { # project, date, tests
  CSCOPILOT_STUDY_PROJECT=$work/$1 CSCOPILOT_STUDY_AS_OF=$2 \
    cargo nextest run --workspace --no-capture --run-ignored only -E "test($3)"
}
real() { # example, pipeline, date, tests
  if [ ! -d "$SHARED/data/$1" ]; then echo "study: $SHARED/data/$1 is absent, examples/$1 did not run"; return; fi
  night "$2" --project "$work/examples/$1" --param "data_dir=$(realpath "$SHARED/data/$1")" --as-of "$3"
  study "examples/$1" "$3" "$4"
}

"$BIN" simulate --accounts 2000 --months 18 --as-of 2026-06-30 --out "$work/data"
port=${STUDY_PORT:-8090}
"$BIN" simulate crm --port "$port" --data "$work/data" --state "$work/fake_salesforce" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
SALESFORCE_URL="http://127.0.0.1:$port" SALESFORCE_TOKEN=demo-token night nightly --project "$work" --as-of 2026-06-30
study . 2026-06-30 project_explanations
real telco train 2020-01-31 project_explanations
real ravenstack nightly 2024-12-31 project_explanations
real crm5 nightly 2023-10-01 project_
