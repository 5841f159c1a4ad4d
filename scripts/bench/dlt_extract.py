"""The same stream read by dlt: the rest_api source into Parquet files. Prints one JSON line.

Used by `cargo xtask bench extract`; arguments: base URL, token, page size, output folder.
"""
import json
import os
import sys
import time

base_url, token, page, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
os.environ["DLT_DATA_DIR"] = os.path.join(out, "data")

import dlt
from dlt.sources.rest_api import rest_api_source

source = rest_api_source(
    {
        "client": {
            "base_url": base_url,
            "auth": {"type": "bearer", "token": token},
            "paginator": {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"},
        },
        "resources": [
            {
                "name": "events",
                "primary_key": "id",
                "write_disposition": "append",
                "endpoint": {"path": "events", "params": {"limit": page}, "data_selector": "records"},
            }
        ],
    }
)
pipeline = dlt.pipeline(
    pipeline_name="bench",
    pipelines_dir=os.path.join(out, "pipelines"),
    destination=dlt.destinations.filesystem(bucket_url="file://" + os.path.join(out, "lake")),
    dataset_name="raw",
)
began = time.perf_counter()
pipeline.run(source, loader_file_format="parquet")
seconds = time.perf_counter() - began
rows = pipeline.last_trace.last_normalize_info.row_counts.get("events", 0)
print(json.dumps({"version": dlt.__version__, "seconds": round(seconds, 3), "records": rows}))
