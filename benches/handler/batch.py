"""A batch's way from the event's bytes to PutRecords bodies, as a handler in Python would go it.

    python3 batch.py EVENT.json    prints {"impressions": N, "seconds": the best of several}
"""

import base64
import gzip
import json
import secrets
import sys
import time

RECORD_BYTES = 100 * 1024
REQUEST_BYTES = 1024 * 1024


def pack(event):
    """Gives the number of elements, and the impressions among them as records of NDJSON."""
    body = json.loads(event)["body"]
    elements = json.loads(gzip.decompress(base64.b64decode(body)))
    records, record, size = [], [], 0
    for impression in elements:
        if not isinstance(impression.get("key"), str) or not isinstance(impression.get("split"), str):
            continue
        line = json.dumps(impression, separators=(",", ":"), ensure_ascii=False) + "\n"
        if size + len(line) > RECORD_BYTES:
            records.append("".join(record))
            record, size = [], 0
        record.append(line)
        size += len(line)
    records.append("".join(record))
    return len(elements), records


def requests(records):
    """Splits records into requests."""
    request, size = [], 0
    for record in records:
        if size + len(record) > REQUEST_BYTES:
            yield request
            request, size = [], 0
        request.append(record)
        size += len(record)
    yield request


def handle(event):
    count, records = pack(event)
    bodies = []
    for request in requests(records):
        entries = [
            {"Data": base64.b64encode(record.encode()).decode(), "PartitionKey": secrets.token_hex(8)} for record in request
        ]
        bodies.append(json.dumps({"StreamName": "stream", "Records": entries}))
    return count, bodies


def main():
    with open(sys.argv[1], "rb") as file:
        event = file.read()
    best, until = float("inf"), time.perf_counter() + 3
    while time.perf_counter() < until:
        started = time.perf_counter()
        count, _ = handle(event)
        best = min(best, time.perf_counter() - started)
    print(json.dumps({"impressions": count, "seconds": best}))


if __name__ == "__main__":
    main()
