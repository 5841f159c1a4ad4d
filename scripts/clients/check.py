#!/usr/bin/env python3
"""Compares what the vendors' own clients read from the fakes with what the fakes hold.

    check.py BINARY      starts `BINARY simulate serve`, runs each client through run.sh, and compares record by record by id

Prints one line a client. A client that can't be installed here is named as not run; exit code 1 if any client read something else.
"""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOKEN = "fake-token-4f1d"
EMAIL = "extract@vendor.example"
SECRET = "fake-client-secret-9b2e"
# The days of which the fakes simulate usage, up to their clock.
FROM, TO = "2026-04-28", "2026-06-29"
# Clients by vendor: the script, and its arguments behind the base URL.
CLIENTS = [
    ("stripe", "stripe", [TOKEN]),
    ("chargebee", "chargebee", [TOKEN]),
    ("hubspot", "hubspot", [TOKEN]),
    ("zendesk", "zendesk", [EMAIL, TOKEN]),
    ("intercom", "intercom", [TOKEN]),
    ("salesforce", "simple_salesforce", ["fake-client", SECRET, "rest"]),
    ("salesforce", "simple_salesforce", ["fake-client", SECRET, "bulk"]),
    ("salesforce", "jsforce", ["fake-client", SECRET, "fake-refresh-token-7c3a", "rest"]),
    ("mixpanel", "mixpanel", ["extract.service", TOKEN, "2195193", FROM, TO]),
    ("amplitude", "amplitude", ["fake-api-key-51aa", TOKEN, FROM, TO]),
]


def truth(base, vendor, stream):
    with urllib.request.urlopen(f"{base}/_fake/truth/{vendor}/{stream}") as answer:
        held = [json.loads(line) for line in answer.read().decode().splitlines()]
    return {h["id"]: h["deleted"] for h in held}


def check(base, vendor, script, arguments):
    run = subprocess.run([HERE / "run.sh", script, f"{base}/{vendor}", *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode == 4:
        print(f"{script}: NOT RUN, it can't be installed here")
        return True
    if run.returncode != 0:
        print(f"{script}: ended with {run.returncode}")
        return False
    read = {}
    for line in run.stdout.splitlines():
        record = json.loads(line)
        read.setdefault(record["stream"], {})[str(record["id"])] = record.get("deleted", False)
    good = bool(read)
    for stream, ids in sorted(read.items()):
        held = truth(base, vendor, stream)
        live = {i for i, deleted in held.items() if not deleted}
        seen = {i for i, deleted in ids.items() if not deleted}
        if live != seen:
            good = False
            print(f"{script}: {stream}: {len(live - seen)} missing, {len(seen - live)} that are not there, e.g. {sorted(live ^ seen)[:3]}")
    counts = ", ".join(f"{len(ids)} {stream}" for stream, ids in sorted(read.items()))
    print(f"{script}: {'read what is there' if good else 'DIFFERS'}: {counts}")
    return good


def main():
    command = [sys.argv[1], "simulate", "serve", "--port", "0", "--accounts", "60", "--months", "2", "--events-per-day", "50"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        base = re.search(r"http://[0-9.:]+", server.stderr.readline()).group(0)
        results = [check(base, *client) for client in CLIENTS]
    finally:
        server.kill()
    sys.exit(0 if all(results) else 1)


main()
