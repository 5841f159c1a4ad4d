#!/usr/bin/env python3
"""Reads events from an Amplitude API with the public `amplitude-data-wrapper`, as JSON Lines {"stream", "id", "body"}, sorted.

    amplitude.py BASE_URL API_KEY SECRET_KEY FROM_DATE TO_DATE      (http://127.0.0.1:8100/amplitude)

Amplitude has no client of its own for exports. Each day is asked for by itself: an answer has a limit.
"""

import datetime
import gzip
import json
import logging
import os
import sys
import tempfile
import zipfile

sys.path[:] = sys.path[1:]
# No bar on stderr for each of many days; it is asked for at the import.
os.environ["TQDM_DISABLE"] = "1"
import requests  # noqa: E402
from amplitude_data_wrapper import analytics_api  # noqa: E402


def day_of_events(key, secret, day, path):
    hours = day.strftime("%Y%m%dT00"), day.strftime("%Y%m%dT23")
    try:
        analytics_api.export_project_data(hours[0], hours[1], key, secret, path, region="us")
    except requests.HTTPError as error:
        # There is nothing in that day.
        if error.response.status_code == 404:
            return
        raise
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            for line in gzip.decompress(archive.read(name)).splitlines():
                yield json.loads(line)


def main():
    base, key, secret, first, last = sys.argv[1:6]
    logging.disable(logging.CRITICAL)
    analytics_api.API_DOMAINS["us"] = base
    day, last = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        while day <= last:
            lines += [(event["uuid"], event) for event in day_of_events(key, secret, day, folder + "/export.zip")]
            day += datetime.timedelta(days=1)
    for name, body in sorted(lines, key=lambda line: line[0]):
        print(json.dumps({"stream": "events", "id": name, "body": body}, sort_keys=True))


main()
