#!/usr/bin/env python3
"""Reads events and profiles from a Mixpanel API with Mixpanel's own `mixpanel-utils`, as JSON Lines {"stream", "id", "body"}, sorted.

    mixpanel.py BASE_URL SERVICE_ACCOUNT SECRET PROJECT_ID FROM_DATE TO_DATE      (http://127.0.0.1:8100/mixpanel)

Mixpanel keeps what was sent twice. Here each event is printed once, and how many came twice is said on stderr.
"""

import json
import sys

# The official `mixpanel` package must not be found in this file's place.
sys.path[:] = sys.path[1:]
from mixpanel_utils import MixpanelUtils  # noqa: E402


def main():
    base, user, secret, project, from_date, to_date = sys.argv[1:7]
    client = MixpanelUtils(secret, service_account_username=user, project_id=project)
    client.raw_api = client.formatted_api = base + "/api"
    lines = {}
    events = client.query_export({"from_date": from_date, "to_date": to_date}, add_gzip_header=True)
    for event in events:
        properties = event["properties"]
        # What Mixpanel calls the same event.
        same = (event["event"], properties["distinct_id"], properties["time"], properties["$insert_id"])
        lines["events", properties["$insert_id"], same] = event
    print(f"{len(events) - len(lines)} events came twice", file=sys.stderr)
    for profile in client.query_engage({}):
        lines["engage", profile["$distinct_id"], ()] = profile
    for (stream, name, _), body in sorted(lines.items(), key=lambda line: line[0][:2]):
        print(json.dumps({"stream": stream, "id": name, "body": body}, sort_keys=True))


main()
