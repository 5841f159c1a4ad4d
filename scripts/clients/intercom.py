#!/usr/bin/env python3
"""Reads everything from an Intercom API with Intercom's own client, as JSON Lines {"stream", "id", "body"}, sorted.

    intercom.py BASE_URL TOKEN      (http://127.0.0.1:8100/intercom)

Deletes can't be listed: what isn't printed is deleted or was never there.
"""

import json
import sys
import warnings

# This file is called as the package is: don't let it find itself.
sys.path[:] = sys.path[1:]
from intercom import Intercom  # noqa: E402


def found(search):
    """All pages of a search. The client's own iteration asks for the first page again and again: it never sends the cursor."""
    pagination = {"per_page": 150}
    while True:
        page = search(query={"field": "created_at", "operator": ">", "value": 0}, pagination=pagination)
        yield from page.items
        following = page.response.pages.next
        if following is None:
            return
        pagination = {"per_page": 150, "starting_after": following.starting_after}


def main():
    base, token = sys.argv[1:3]
    # Its models are those of a later version of the API; what doesn't fit them is kept as it came.
    warnings.simplefilter("ignore")
    client = Intercom(base_url=base, token=token)
    streams = {
        "companies": client.companies.scroll(),
        "contacts": found(client.contacts.search),
        "conversations": found(client.conversations.search),
        "tickets": found(client.tickets.search),
        "admins": client.admins.list().admins,
    }
    lines = []
    for stream, records in streams.items():
        for record in records:
            body = json.loads(record.json())
            lines.append((stream, body["id"], body))
    for stream, name, body in sorted(lines, key=lambda line: line[:2]):
        print(json.dumps({"stream": stream, "id": name, "body": body}, sort_keys=True))


main()
