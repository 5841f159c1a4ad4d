#!/usr/bin/env bash
# The demo: a simulated company, one night, a fake Salesforce that keeps what it is sent.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BIN:=target/debug/cscopilot}"
AS_OF=2026-06-30
PORT=${DEMO_PORT:-8089}

if [ ! -d data/truth ]; then
  echo "demo: simulating a company with 2,000 customers over 18 months into data/"
  "$BIN" simulate --accounts 2000 --months 18 --as-of "$AS_OF" --out data
fi

"$BIN" simulate crm --port "$PORT" --data data --state data/fake_salesforce &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT

export SALESFORCE_URL="http://127.0.0.1:$PORT" SALESFORCE_TOKEN=demo-token
status=0
"$BIN" run nightly --as-of "$AS_OF" || status=$?
# Exit code 3: done, with records to look at. The simulated extracts hold bad records on purpose.
if [ "$status" != 0 ] && [ "$status" != 3 ]; then exit "$status"; fi

cat <<TEXT

Open the report:        lake/site/index.html
What Salesforce holds:  data/fake_salesforce/
Ask the lake:           $BIN query "SELECT account_name, churn_probability, arr FROM marts.account_scores ORDER BY expected_churn_arr DESC LIMIT 10" --as-of $AS_OF
Change a file in sql/ or configs/ and run it again:
                        $BIN run nightly --as-of $AS_OF
TEXT
