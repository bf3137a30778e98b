"""Measures what bodies cost that Split never sends: processor time and memory of the handler for the worst that 64 MiB can hold.

    cargo build --profile handler -p split-pipeline-handler --bin bootstrap
    python3 benches/handler/hostile.py [--binary target/handler/bootstrap] [--only TEXT]

Each body goes to a process of its own, a function of 256 MiB, with each of the settings under which it might cost most; and to the
smallest, of 128 MiB. Prints a Markdown table and exits with 1 if any answer takes a processor second or more than 200 or 128 MB. The stubs
are those of `process.py`; needs Linux.
"""

import argparse
import base64
import functools
import gzip
import json
import pathlib
import random
import struct
import sys
import zlib

import process

MOST_SECONDS = 1.0
MOST_MB = 200
SMALLEST_MB = 128
INFLATED = 64 * 1024 * 1024
# What Lambda takes of an event, less what an event has besides its body.
EVENT = 6_000_000

PACKED = {"SPLIT_PIPELINE_RECORD_KIB": "100"}
SINGLE = {"SPLIT_PIPELINE_RECORD_KIB": "0"}
PARQUET = PACKED | {"SPLIT_PIPELINE_NUMBER_FIELDS": '["time","splitVersionNumber"]'}
KEPT = "key split environmentName time label treatment".split()
FIELDS = PACKED | {"SPLIT_PIPELINE_FIELDS": json.dumps(KEPT)}
PARQUET_FIELDS = PARQUET | FIELDS
# All that Split sends.
ALL = [*KEPT, *"environmentId bucketingKey machineName machineIp splitVersionNumber sdk sdkVersion properties".split()]
SMALLEST = "128 MiB, Parquet, fields"
SMALLEST_SINGLE = "128 MiB, one each, time"
SETTINGS = {
    "packed": PACKED,
    "one each": SINGLE,
    "Parquet": PARQUET,
    "fields": FIELDS,
    "Parquet, fields": PARQUET_FIELDS,
    "Parquet, all fields": PARQUET | {"SPLIT_PIPELINE_FIELDS": json.dumps(ALL)},
    "one each, time": SINGLE | {"SPLIT_PIPELINE_FIELDS": '["time"]'},
    SMALLEST_SINGLE: SINGLE | {"SPLIT_PIPELINE_FIELDS": '["time"]', "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(SMALLEST_MB)},
    SMALLEST: PARQUET_FIELDS | {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(SMALLEST_MB)},
}


class Aws(process.Kinesis):
    """Accepts every record and every object."""

    def do_PUT(self):
        self.read()
        self.answer(200)


class Refusing(Aws):
    """Accepts no record, so that everything is spilled."""

    def do_POST(self):
        self.read()
        self.answer(400, b'{"__type":"AccessDeniedException"}', [("content-type", "application/x-amz-json-1.1")])


class Throttling(Aws):
    """Throttles every record until the time is over, so that everything is sent several times and then spilled."""

    def do_POST(self):
        records = self.read().count(b'"PartitionKey"')
        result = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
        body = json.dumps({"FailedRecordCount": records, "Records": [result] * records}).encode()
        self.answer(200, body, [("content-type", "application/x-amz-json-1.1")])


def fill(element, start=b"[", end=b"]", size=INFLATED):
    """Repeats an element, with commas between, until the text has so many bytes."""
    count = (size - len(start) - len(end) + 1) // (len(element) + 1)
    return start + element + (b"," + element) * (count - 1) + end


def nested(opening, closing, inner=b"", start=b"", end=b""):
    depth = (INFLATED - len(start) - len(inner) - len(end)) // (len(opening) + len(closing))
    return start + opening * depth + inner + closing * depth + end


def impression(more=b""):
    return b'{"key":"k","split":"s"' + more + b"}"


def members(member, start=b'[{"key":"k","split":"s"'):
    return fill(member, start + b",", b"}]")


def as_split_sends(number=b"1700000000000", more=b"null"):
    """An impression with the fields that Split sends, and short values."""
    return (
        b'{"key":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","split":"checkout_flag_7","environmentId":"7f3c9f10-5d0b-11ee-8c99-0242ac120002",'
        b'"environmentName":"Production","treatment":"on","time":' + number + b',"bucketingKey":null,"label":"default rule",'
        b'"machineName":"ip-10-0-3-7","machineIp":"10.0.3.7","splitVersionNumber":1690000000000,"sdk":"java","sdkVersion":"4.10.2",'
        b'"properties":' + more + b"}"
    )


def gunzipped(make):
    """A body whose gzip file holds a text."""
    return lambda: base64.b64encode(gzip.compress(make(), 6))


def raw(make):
    """A body of bytes that are sent as they are."""
    return lambda: base64.b64encode(make())


def member(deflate, text=b""):
    return b"\x1f\x8b\x08\x00\0\0\0\0\0\xff" + deflate + struct.pack("<II", zlib.crc32(text), len(text))


def many(part, whole=b"", most=EVENT // 4 * 3 - 1024):
    return whole + part * ((most - len(whole)) // len(part))


class Bits:
    """Writes deflate's bits, the lowest first."""

    def __init__(self):
        self.value, self.count = 0, 0

    def put(self, value, count):
        self.value |= value << self.count
        self.count += count
        return self


def empty_dynamic_block(last):
    """A deflate block that has codes of its own and nothing else: each takes the time to build its tables."""
    bits = Bits().put(int(last), 1).put(2, 2).put(0, 5).put(0, 5).put(14, 4)
    # Code lengths 18 (a run of zeros) and 1 have one bit each, in the order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1.
    for symbol in (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1):
        bits.put(1 if symbol in (1, 18) else 0, 3)
    # Zeros for symbols 0 to 255, one bit for 256 (the end of the block) and for the one distance.
    for length in (138, 118):
        bits.put(1, 1).put(length - 11, 7)
    bits.put(0, 1).put(0, 1)
    # The end of the block.
    return bits.put(0, 1)


def dynamic_blocks(text=b"[]"):
    blocks = Bits()
    one, last = empty_dynamic_block(False), empty_dynamic_block(True)
    # Eight of them end at a byte's end, whatever a block's size.
    for _ in range(8):
        blocks.put(one.value, one.count)
    part = blocks.value.to_bytes(blocks.count // 8, "little")
    end = last.value.to_bytes((last.count + 7) // 8, "little")
    stored = b"\0" + struct.pack("<HH", len(text), len(text) ^ 0xFFFF) + text
    return member(many(part, stored) + end, text)


def two_trailers():
    """One member for a reader that goes by the end of the file, and then a second one, which takes the file twice."""
    text = gzip.compress(fill(as_split_sends(), end=b"", size=INFLATED // 2), 6)
    return text + text


def cut(make, end):
    return lambda: make()[: -len(end)]


def own_keys():
    """Impressions that compress no further than those that fit into an event."""
    element = as_split_sends()
    count, chance = INFLATED // (len(element) + 1), random.Random(1)
    start, end = element[:8], element[44:]
    return b"[" + b",".join(start + chance.randbytes(12).hex().encode().rjust(36, b"0") + end for _ in range(count)) + b"]"


STRING = b'{"key":"k","split":"s","x":"%b"}'
ESCAPED = b'"\\u006b\\u0065\\u0078":1'
# Names to keep, which is not plain to see.
ESCAPED_KEYS = b'{"key":"","split":""' + b',"\\u006bey":""' * 100 + b"}"
SPACED = b'{ "key" : "k" , "split" : "s" }'

# What a body is, how it is made, under which settings it is sent.
BODIES = [
    ("numbers [1,1,…]", gunzipped(lambda: fill(b"1")), ["packed"]),
    ("numbers, cut off", gunzipped(lambda: fill(b"1", end=b"")), ["packed"]),
    ("numbers, as text", raw(lambda: fill(b"1", size=EVENT // 4 * 3 - 1024)), ["packed"]),
    ("objects [{},{},…]", gunzipped(lambda: fill(b"{}")), ["packed", "fields"]),
    ("arrays [[],[],…]", gunzipped(lambda: fill(b"[]")), ["packed"]),
    ("one array in an array …", gunzipped(lambda: nested(b"[", b"]")), ["packed"]),
    ("arrays that never end [[[[…", gunzipped(lambda: b"[" * INFLATED), ["packed"]),
    ("one object in an object …", gunzipped(lambda: nested(b'{"":', b"}", b"1")), ["packed"]),
    ("an impression with deep arrays", gunzipped(lambda: nested(b"[", b"]", start=b'[{"key":"k","split":"s","x":', end=b"}]")), ["packed", "Parquet, fields"]),
    ("impressions with deep arrays, 900 KiB each", gunzipped(lambda: fill(STRING.replace(b'"%b"', b"[" * 450_000 + b"]" * 450_000))), ["packed", "Parquet, fields"]),
    ("one object, millions of members", gunzipped(lambda: members(b'"a":1')), ["packed", "fields"]),
    ("one object, millions of members, not compact", gunzipped(lambda: members(b'"":[]')), ["packed", "fields"]),
    ("one object, millions of keys", gunzipped(lambda: members(b'"key":"k"')), ["packed", "fields"]),
    ("one object, millions of escaped names", gunzipped(lambda: members(ESCAPED)), ["packed", "fields"]),
    ("objects of 900 KiB, millions of members", gunzipped(lambda: fill(fill(b'"":1', b'{"key":"k","split":"s",', b"}", 900 * 1024))), ["packed", "fields", "Parquet"]),
    ("objects of 900 KiB, escaped names", gunzipped(lambda: fill(fill(ESCAPED, b'{"key":"k","split":"s",', b"}", 900 * 1024))), ["packed", "fields", "Parquet, fields"]),
    ("objects of 900 KiB, long escaped names", gunzipped(lambda: fill(fill(b'"' + b"\\u0074" * 18 + b'":1', b'{"key":"k","split":"s",', b"}", 900 * 1024))), ["Parquet, fields"]),
    ("objects without split, as Split's but for that", gunzipped(lambda: fill(as_split_sends().replace(b'"split"', b'"spilt"'))), ["packed", "fields"]),
    ("one string of 64 MiB", gunzipped(lambda: fill(b'"' + b"x" * (INFLATED - 4) + b'"')), ["packed"]),
    ("one string of escapes", gunzipped(lambda: fill(b'"' + b"\\n" * (INFLATED // 2 - 4) + b'"')), ["packed"]),
    ("spaces", gunzipped(lambda: b" " * INFLATED), ["packed"]),
    ("spaces in an array", gunzipped(lambda: b"[" + b" " * (INFLATED - 2) + b"]"), ["packed"]),
    ("spaces around each token", gunzipped(lambda: fill(b'{%b"key":"k","split":"s"}' % (b" " * 1000))), ["packed", "fields", "Parquet"]),
    ("newlines around each token", gunzipped(lambda: fill(SPACED.replace(b" ", b"\n"))), ["packed", "one each"]),
    ("newlines, 1,000 for an impression", gunzipped(lambda: fill(b'{%b"key":"k","split":"s"}' % (b"\n" * 1000))), ["packed", "fields", "Parquet"]),
    ("one array with a newline", gunzipped(lambda: fill(b"1", b"[[\n", b"]]")), ["packed"]),
    ("one impression with a newline", gunzipped(lambda: b'[{"key":"k","split":"s",\n"time":"' + b"x" * (INFLATED - 40) + b'"}]'), ["packed", "fields"]),
    ("tiny impressions", gunzipped(lambda: fill(b'{"key":"","split":""}')), list(SETTINGS)),
    ("tiny impressions, spaced", gunzipped(lambda: fill(SPACED)), list(SETTINGS)),
    ("tiny impressions, cut off", gunzipped(lambda: fill(b'{"key":"","split":""}', end=b"")), ["packed"]),
    ("tiny misfits", gunzipped(lambda: fill(impression(b',"time":1.5'))), ["Parquet", "Parquet, fields"]),
    ("tiny misfits, a list for the time", gunzipped(lambda: fill(impression(b',"time":[]'))), ["Parquet"]),
    ("tiny misfits, a text for the time", gunzipped(lambda: fill(impression(b',"time":""'))), ["Parquet"]),
    ("tiny misfits, every other one", gunzipped(lambda: fill(impression(b',"time":1.5') + b"," + impression())), ["Parquet"]),
    ("misfits as Split's, a fractional time", gunzipped(lambda: fill(as_split_sends(b"1700000000000.5"))), ["Parquet", "Parquet, fields"]),
    ("impressions too large for a record", gunzipped(lambda: fill(impression(b',"x":"%b"' % random.Random(1).randbytes(200).hex().encode() * 2700))), ["packed", "Parquet, fields"]),
    ("colons in strings", gunzipped(lambda: fill(STRING % (b":" * 900_000))), ["Parquet"]),
    ("quotes and colons in strings", gunzipped(lambda: fill(STRING % (b'\\":' * 300_000))), ["Parquet"]),
    ("time in strings", gunzipped(lambda: fill(STRING % (b'\\"time\\":' * 100_000))), ["Parquet"]),
    ("keys of 900 KiB", gunzipped(lambda: fill(b'{"key":"%b","split":"s"}' % (b"\\n" * 450_000))), ["one each"]),
    ("escaped names to keep", gunzipped(lambda: fill(ESCAPED_KEYS, size=52 * 1024 * 1024)), ["Parquet", "Parquet, fields", "Parquet, all fields"]),
    ("an escaped name of 64 MiB", gunzipped(lambda: nested(b"x", b"", start=b'[{"key":"k","split":"s","\\u0061', end=b'":1}]')), ["packed", "Parquet, fields"]),
    ("an escaped key of 64 MiB", gunzipped(lambda: nested(b"x", b"", start=b'[{"split":"s","key":"\\u0061', end=b'"}]')), ["one each, time", SMALLEST_SINGLE]),
    ("28 MiB of tiny impressions, an escaped name of 35", gunzipped(lambda: fill(impression(), size=28 * 1024 * 1024)[:-1] + b',{"key":"","split":"","' + b"\\u0061" + b"x" * (35 * 1024 * 1024) + b'":1}]'), ["packed", "Parquet, fields"]),
    ("text that is not ASCII", gunzipped(lambda: fill(STRING % ("é".encode() * 400_000))), ["packed", "Parquet, fields"]),
    ("Split's", gunzipped(lambda: fill(as_split_sends())), list(SETTINGS)),
    ("Split's, each with a key of its own", gunzipped(own_keys), ["packed", "one each"]),
    ("objects without split, each with a key of its own", gunzipped(lambda: own_keys().replace(b'"split"', b'"spilt"')), ["packed"]),
    ("Split's, with fractions and lists", gunzipped(lambda: fill(as_split_sends(more=b'{"plan":"pro","price":1.5,"tags":["a","b"]}'))), list(SETTINGS)),
    ("Split's, cut off", gunzipped(lambda: fill(as_split_sends(), end=b"")), ["packed"]),
    ("Split's, with a stray byte at the end", gunzipped(lambda: fill(as_split_sends(), end=b"x")), ["packed"]),
    ("Split's, in two gzip members", raw(two_trailers), ["packed"]),
    ("Split's, with a wrong checksum", raw(lambda: gzip.compress(fill(as_split_sends()), 6)[:-8] + b"\1" * 4 + struct.pack("<I", INFLATED)), ["packed"]),
    ("too large", gunzipped(lambda: b" " * (INFLATED * 4)), ["packed"]),
    ("empty gzip members", raw(lambda: many(member(b"\3\0"))), ["packed"]),
    ("gzip members of a byte", raw(lambda: many(member(b"\1\1\0\xfe\xff ", b" "))), ["packed"]),
    ("gzip members with long names", raw(lambda: many(b"\x1f\x8b\x08\x18\0\0\0\0\0\xff" + b"n" * 60_000 + b"\0" + b"c" * 60_000 + b"\0" + member(b"\3\0")[10:])), ["packed"]),
    ("deflate blocks without content", raw(dynamic_blocks), ["packed"]),
    ("random bytes", raw(lambda: random.Random(1).randbytes(EVENT // 4 * 3 - 1024)), ["packed"]),
    ("a gzip header and random bytes", raw(lambda: b"\x1f\x8b\x08\0" + random.Random(1).randbytes(EVENT // 4 * 3 - 1024)), ["packed"]),
]

# Those that cost most to read, to see what it costs to send and spill them on top.
THROTTLED = ["escaped names to keep", "objects of 900 KiB, escaped names", "Split's, each with a key of its own"]
THROTTLED_SETTINGS = ["Parquet", "Parquet, all fields"]


def text_event():
    """An event whose body is text, of which every character is escaped."""
    element = "\\u0031,"
    body = "[" + element * ((EVENT - 10) // len(element)) + "1]"
    return ('{"httpMethod":"POST","isBase64Encoded":false,"body":"%s"}' % body).encode()


def event(body):
    return b'{"httpMethod":"POST","isBase64Encoded":true,"body":"%b"}' % body


def measure(command, api, aws, settings, sent):
    """Gives the status, processor seconds and peak memory of one request, the first of its process."""
    handler = process.Handler(command, api, aws, settings)
    try:
        before = handler.cpu_seconds()
        response = handler.answer(sent)
        return response["statusCode"], handler.cpu_seconds() - before, handler.memory_mb("VmHWM"), json.loads(response["body"])
    finally:
        handler.end()


def cases(only):
    for name, make, settings in BODIES:
        if only in name:
            sent = event(make())
            if len(sent) > EVENT:
                print(f"{name}: the event has {len(sent):,} bytes, more than Lambda takes", file=sys.stderr)
            for chosen in dict.fromkeys([*settings, SMALLEST]):
                yield name, chosen, Aws, sent
            if name.startswith("Split's, each"):
                yield f"{name}, which Kinesis refuses", "packed", Refusing, sent
            if name in THROTTLED:
                for chosen in THROTTLED_SETTINGS:
                    yield f"{name}, which Kinesis throttles", chosen, Throttling, sent
    if only in "escaped text":
        yield "escaped text", "packed", Aws, text_event()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=process.ROOT / "target" / "handler" / "bootstrap")
    parser.add_argument("--only", default="", help="only the bodies whose name contains this")
    arguments = parser.parse_args()
    api = process.serve(process.RuntimeApi)
    aws = functools.cache(process.serve)
    print("| body | settings | event, kB | answer | processor s | peak MB |\n|---|---|---|---|---|---|")
    worst, failed = {"seconds": 0, "mb": 0}, False
    for name, chosen, kind, sent in cases(arguments.only):
        status, seconds, peak, body = measure([arguments.binary], api, aws(kind), SETTINGS[chosen], sent)
        said = body.get("error") or ", ".join(f"{count:,} {what}" for what, count in body.items() if count)
        print(f"| {name} | {chosen} | {len(sent) / 1000:,.0f} | {status} {said} | {seconds:.2f} | {peak:.0f} |", flush=True)
        worst = {"seconds": max(worst["seconds"], seconds), "mb": max(worst["mb"], peak)}
        failed |= seconds >= MOST_SECONDS or peak >= (SMALLEST_MB if chosen in (SMALLEST, SMALLEST_SINGLE) else MOST_MB)
    print(f"\nWorst: {worst['seconds']:.2f} processor seconds, {worst['mb']:.0f} MB.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
