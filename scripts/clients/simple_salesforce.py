#!/usr/bin/env python3
"""Reads everything from a Salesforce API with the public `simple-salesforce`, as JSON Lines {"stream", "id", "deleted", "body"}, sorted.

    simple_salesforce.py BASE_URL CLIENT_ID CLIENT_SECRET [rest|bulk]      (http://127.0.0.1:8100/salesforce)

The token comes by client credentials. Through the Bulk API all values are texts, and null is an empty one.
"""

import csv
import io
import json
import sys

# This file is called as the package is: don't let it find itself.
sys.path[:] = sys.path[1:]
import requests  # noqa: E402
from simple_salesforce import Salesforce  # noqa: E402

OBJECTS = {
    "accounts": "Account",
    "contacts": "Contact",
    "opportunities": "Opportunity",
    "tasks": "Task",
    "cases": "Case",
    "users": "User",
}


class Here(requests.Session):
    """Sends what the client means for Salesforce's hosts to the one that was named: the client knows only https and hosts."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def request(self, method, url, **options):
        path = "/" + url.split("://", 1)[1].split("/", 1)[1]
        root = self.base.rsplit("/", 1)[0]
        inside = path.startswith(self.base[len(root):] + "/")
        return super().request(method, (root if inside else self.base) + path, **options)


def by_rest(client, name, fields, everything):
    query = f"SELECT {', '.join(fields)} FROM {name}"
    for record in client.query_all_iter(query, include_deleted=everything):
        record.pop("attributes")
        yield record


def by_bulk(client, name, fields, everything):
    query = f"SELECT {', '.join(fields)} FROM {name}"
    job = getattr(client.bulk2, name)
    for page in (job.query_all if everything else job.query)(query, max_records=1_000):
        yield from csv.DictReader(io.StringIO(page, newline=""))


def main():
    base, key, secret = sys.argv[1:4]
    read = by_bulk if sys.argv[4:] == ["bulk"] else by_rest
    client = Salesforce(consumer_key=key, consumer_secret=secret, domain="fake.my", session=Here(base), version="61.0")
    lines = []
    for stream, name in OBJECTS.items():
        described = getattr(client, name).describe()["fields"]
        fields = [field["name"] for field in described if field["type"] != "address"]
        for record in read(client, name, fields, "IsDeleted" in fields):
            lines.append((stream, record["Id"], dict(record)))
    for stream, name, body in sorted(lines, key=lambda line: line[:2]):
        deleted = body.get("IsDeleted") in (True, "true")
        print(json.dumps({"stream": stream, "id": name, "deleted": deleted, "body": body}, sort_keys=True))


main()
