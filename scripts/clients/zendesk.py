#!/usr/bin/env python3
"""Reads everything from a Zendesk API with the public `zenpy`, as JSON Lines {"stream", "id", "deleted", "body"}, sorted.

    zendesk.py BASE_URL EMAIL TOKEN      (http://127.0.0.1:8100/zendesk)

Metrics of deleted tickets can't be listed: what isn't printed is deleted or was never there.
"""

import json
import sys

sys.path[:] = sys.path[1:]
import requests  # noqa: E402
from zenpy import Zenpy  # noqa: E402

HOST = "https://fake.zendesk.com"


class Here(requests.Session):
    """Sends what the client means for Zendesk's hosts to the one that was named: the client knows only https and subdomains."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.bodies = []

    def request(self, method, url, **options):
        path = url[len(self.base):] if url.startswith(self.base) else "/" + url.split("://", 1)[1].split("/", 1)[1]
        answer = super().request(method, self.base + path, **options)
        # The client tells by the address what the answer is.
        answer.request.url = HOST + path
        # As they came: the client's objects turn instants into Python's.
        self.bodies.append(answer.json())
        return answer


def exported(endpoint):
    """An export by cursor. The client takes an empty page for the end, so it is asked again where it stopped."""
    pages = endpoint.incremental(start_time=1, per_page=100)
    while True:
        for _ in pages:
            pass
        if pages.end_of_stream:
            return
        pages = endpoint.incremental(cursor=pages.after_cursor, per_page=100)


def main():
    base, email, token = sys.argv[1:4]
    session = Here(base)
    client = Zenpy(subdomain="fake", email=email, token=token, session=session)
    reads = {
        "tickets": lambda: exported(client.tickets),
        "users": lambda: exported(client.users),
        "organizations": lambda: list(client.organizations.incremental(start_time=1, per_page=100)),
        "satisfaction_ratings": lambda: list(client.satisfaction_ratings(cursor_pagination=True)),
        "ticket_metrics": lambda: list(client.ticket_metrics(cursor_pagination=True)),
    }
    deleted = {
        "tickets": lambda body: body["status"] == "deleted",
        "users": lambda body: not body["active"],
        "organizations": lambda body: body["deleted_at"] is not None,
    }
    lines = {}
    for stream, read in reads.items():
        session.bodies.clear()
        read()
        for body in session.bodies:
            for record in body.get(stream, []):
                lines[stream, str(record["id"])] = record
    for (stream, name), body in sorted(lines.items()):
        gone = deleted.get(stream, lambda _: False)(body)
        print(json.dumps({"stream": stream, "id": name, "deleted": gone, "body": body}, sort_keys=True))


main()
