#!/usr/bin/env python3
"""Reads everything from an Intercom API with Intercom's own client, as JSON Lines {"stream", "id", "body"}, sorted.

    intercom.py BASE_URL TOKEN      (http://127.0.0.1:8100/intercom)

Deletes can't be listed: what isn't printed is deleted or was never there.
"""

import json
import sys

# This file is called as the package is: don't let it find itself.
sys.path[:] = sys.path[1:]
from intercom import Intercom  # noqa: E402


def main():
    base, token = sys.argv[1:3]
    client = Intercom(base_url=base, token=token)
    always = {"field": "created_at", "operator": ">", "value": 0}
    pages = {
        "companies": client.companies.scroll(),
        "contacts": client.contacts.search(query=always, pagination={"per_page": 150}),
        "conversations": client.conversations.search(query=always, pagination={"per_page": 150}),
        "tickets": client.tickets.search(query=always, pagination={"per_page": 150}),
        "admins": client.admins.list().admins,
    }
    lines = []
    for stream, records in pages.items():
        for record in records:
            body = json.loads(record.json())
            lines.append((stream, body["id"], body))
    for stream, name, body in sorted(lines, key=lambda line: line[:2]):
        print(json.dumps({"stream": stream, "id": name, "body": body}, sort_keys=True))


main()
