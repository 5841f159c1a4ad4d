#!/usr/bin/env python3
"""Reads everything from a HubSpot API with HubSpot's own client, as JSON Lines {"stream", "id", "deleted", "body"}, sorted.

    hubspot.py BASE_URL TOKEN [list|search]      (http://127.0.0.1:8100/hubspot)

Lists show archived records, too, and associations with companies; searches neither.
"""

import json
import sys

# This file is called as the package is: don't let it find itself.
sys.path[:] = sys.path[1:]
from hubspot import HubSpot  # noqa: E402
from hubspot.crm import objects  # noqa: E402

KINDS = ["companies", "contacts", "deals", "tickets", "tasks"]


def raw(response):
    """The body as it came: the client's models turn instants into Python's."""
    return json.loads(response.data)


def pages(read, **options):
    after = None
    while True:
        page = raw(read(after=after, _preload_content=False, **options) if after else read(_preload_content=False, **options))
        yield from page["results"]
        after = page.get("paging", {}).get("next", {}).get("after")
        if not after:
            return


def listed(client, kind, names):
    for archived in (False, True):
        options = {"limit": 100, "archived": archived, "properties": names}
        if kind != "companies":
            options["associations"] = ["companies"]
        yield from pages(lambda **rest: client.crm.objects.basic_api.get_page(kind, **rest), **options)


def searched(client, kind, names):
    last = 0
    while True:
        request = objects.PublicObjectSearchRequest(
            filter_groups=[{"filters": [{"propertyName": "hs_object_id", "operator": "GT", "value": str(last)}]}],
            sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            properties=names,
            limit=200,
        )
        found = raw(client.crm.objects.search_api.do_search(kind, request, _preload_content=False))["results"]
        if not found:
            return
        yield from found
        last = found[-1]["id"]


def main():
    base, token = sys.argv[1:3]
    read = searched if sys.argv[3:] == ["search"] else listed
    client = HubSpot(access_token=token, host=base)
    lines = []
    for kind in KINDS:
        names = [found.name for found in client.crm.properties.core_api.get_all(kind).results]
        # Models are checked once, so that what they demand is there.
        client.crm.objects.basic_api.get_page(kind, limit=1, properties=names)
        lines += [(kind, record["id"], record) for record in read(client, kind, names)]
    if read is listed:
        for archived in (False, True):
            for owner in pages(client.crm.owners.owners_api.get_page, limit=100, archived=archived):
                lines.append(("owners", owner["id"], owner))
    for stream, name, body in sorted(lines, key=lambda line: line[:2]):
        print(json.dumps({"stream": stream, "id": name, "deleted": body["archived"], "body": body}, sort_keys=True))


main()
