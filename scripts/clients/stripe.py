#!/usr/bin/env python3
"""Reads everything from a Stripe API with Stripe's own client, as JSON Lines {"stream", "id", "body"}, sorted.

    stripe.py BASE_URL KEY      (BASE_URL without /v1: http://127.0.0.1:8100/stripe)

Deletes can't be listed: what isn't printed is deleted or was never there.
"""

import json
import sys

# This file is called as the package is: don't let it find itself.
sys.path[:] = sys.path[1:]
import stripe  # noqa: E402


def main():
    base, key = sys.argv[1:3]
    client = stripe.StripeClient(key, base_addresses={"api": base}, stripe_version="2022-11-15", max_network_retries=0)
    lists = {
        "customers": (client.v1.customers.list, {}),
        "subscriptions": (client.v1.subscriptions.list, {"status": "all"}),
        "invoices": (client.v1.invoices.list, {}),
        "events": (client.v1.events.list, {}),
    }
    lines = []
    for stream, (read, params) in lists.items():
        for item in read(params={"limit": 100, **params}).auto_paging_iter():
            lines.append((stream, item.id, item.to_dict() if hasattr(item, "to_dict") else dict(item)))
    for stream, name, body in sorted(lines, key=lambda line: line[:2]):
        print(json.dumps({"stream": stream, "id": name, "body": body}, sort_keys=True))


main()
