#!/usr/bin/env python3
"""Reads everything from a Chargebee API with Chargebee's own client, as JSON Lines {"stream", "id", "deleted", "body"}, sorted.

    chargebee.py BASE_URL KEY      (BASE_URL without /api/v2: http://127.0.0.1:8100/chargebee)
"""

import json
import sys

# This file is called as the package is: don't let it find itself.
sys.path[:] = sys.path[1:]
from chargebee import Chargebee  # noqa: E402


def main():
    base, key = sys.argv[1:3]
    # Otherwise the client makes https of every address.
    Chargebee.verify_ca_certs = False
    client = Chargebee(api_key=key, site="fake", protocol="http")
    client.env.api_endpoint = base + "/api/v2"
    lists = {
        "customers": (client.Customer, "customer", {"include_deleted": True}),
        "subscriptions": (client.Subscription, "subscription", {"include_deleted": True}),
        "invoices": (client.Invoice, "invoice", {"include_deleted": True}),
        "events": (client.Event, "event", {}),
    }
    lines = []
    for stream, (resource, name, params) in lists.items():
        offset = None
        while True:
            page = resource.list({"limit": 100, **params, **({"offset": offset} if offset else {})})
            for item in page.list:
                body = getattr(item, name).raw_data
                lines.append((stream, body["id"], body))
            offset = page.next_offset
            if not offset:
                break
    for stream, name, body in sorted(lines, key=lambda line: line[:2]):
        print(json.dumps({"stream": stream, "id": name, "deleted": body.get("deleted", False), "body": body}, sort_keys=True))


main()
