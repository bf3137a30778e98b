"""Measures the handler's process as Lambda sees it: cold start, memory, and processor time an impression.

    cargo build --profile handler -p split-pipeline-handler --bin bootstrap
    python3 benches/handler/process.py [--binary target/handler/bootstrap]

Events come from a stub of Lambda's Runtime API, records go to a stub of Kinesis over plain HTTP, both in this script; what they cost is
not the handler's. Prints a Markdown table, with a handler in Python beside it where boto3 is installed. Needs Linux, whose /proc has the
figures.
"""

import argparse
import base64
import gzip
import http.server
import importlib.util
import json
import os
import pathlib
import queue
import random
import statistics
import subprocess
import sys
import threading
import time
import uuid
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
STARTS = 15
BATCH = 10_000
CPU_SECONDS = 1.5
LARGE = 50_000


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def read(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class RuntimeApi(Quiet):
    """Hands out events, and takes their responses."""

    def do_GET(self):
        self.server.asked.put(time.perf_counter())
        event = self.server.events.get()
        self.server.events.task_done()
        if event is None:
            return
        deadline = str(int((time.time() + 20) * 1000))
        headers = [
            ("lambda-runtime-aws-request-id", str(uuid.uuid4())),
            ("lambda-runtime-deadline-ms", deadline),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bench"),
            ("content-type", "application/json"),
        ]
        self.answer(200, event, headers)

    def do_POST(self):
        response = json.loads(self.read())
        self.server.responses.put((time.perf_counter(), response))
        self.answer(202)


class Kinesis(Quiet):
    """Accepts every record."""

    def do_POST(self):
        records = self.read().count(b'"PartitionKey"')
        result = {"SequenceNumber": "49543463076548007577105092703039560359975228518395012686", "ShardId": "shardId-0"}
        body = json.dumps({"FailedRecordCount": 0, "Records": [result] * records}).encode()
        self.answer(200, body, [("content-type", "application/x-amz-json-1.1")])


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.asked, server.events, server.responses = queue.Queue(), queue.Queue(), queue.Queue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def batch(count):
    """Makes an API Gateway event with a gzipped batch like Split's, and gives the size of its JSON as well."""
    chance = random.Random(42)
    impressions = []
    for index in range(count):
        host = chance.randrange(12)
        impressions.append(
            f'{{"key":"{uuid.UUID(int=chance.getrandbits(128))}","split":"{chance.choice(["checkout", "search"])}_flag_{chance.randrange(40)}",'
            '"environmentId":"7f3c9f10-5d0b-11ee-8c99-0242ac120002","environmentName":"Production",'
            f'"treatment":"{chance.choice(["on", "off", "control"])}","time":{1_700_000_000_000 + index * 7},"bucketingKey":null,'
            f'"label":"default rule","machineName":"ip-10-0-3-{host}","machineIp":"10.0.3.{host}",'
            '"splitVersionNumber":1690000000000,"sdk":"java","sdkVersion":"4.10.2","properties":null}'
        )
    text = ("[" + ",".join(impressions) + "]").encode()
    body = base64.b64encode(gzip.compress(text)).decode()
    return json.dumps({"httpMethod": "POST", "body": body, "isBase64Encoded": True}).encode(), len(text)


class Handler:
    """A running handler."""

    def __init__(self, command, api, kinesis, settings=None):
        self.api = api
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{kinesis.server_port}",
            "SPLIT_PIPELINE_STREAM": "stream",
            "SPLIT_PIPELINE_BUCKET": "bucket",
        } | (settings or {})
        started = time.perf_counter()
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        self.start_ms = (api.asked.get(timeout=30) - started) * 1000

    def memory_mb(self, what):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
        raise LookupError(what)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def answer(self, event):
        """Hands out an event and gives its response."""
        self.api.events.put(event)
        self.answered, response = self.api.responses.get(timeout=60)
        self.api.asked.get(timeout=30)
        return response

    def invoke(self, event, count):
        """Gives the seconds from handing out the event to its response."""
        sent = time.perf_counter()
        response = self.answer(event)
        delivered = json.loads(response["body"]).get("delivered")
        assert (response["statusCode"], delivered) == (200, count), response
        return self.answered - sent

    def end(self):
        self.process.kill()
        self.process.wait()
        # The stub still waits for an event for it, and must not take the next one's.
        self.api.events.put(None)
        self.api.events.join()


def size_mb(binary):
    packed = ROOT / "target" / "bench.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(binary, "bootstrap")
    sizes = binary.stat().st_size / 1e6, packed.stat().st_size / 1e6
    packed.unlink()
    return sizes


def measure(command, api, kinesis):
    """Gives the figures of the handler that a command starts, by name."""
    small, _ = batch(1_000)
    starts, firsts, resident = [], [], []
    for _ in range(STARTS):
        handler = Handler(command, api, kinesis)
        starts.append(handler.start_ms)
        resident.append(handler.memory_mb("VmRSS"))
        firsts.append(handler.invoke(small, 1_000) * 1000)
        handler.end()
    handler = Handler(command, api, kinesis)
    event, _ = batch(BATCH)
    handler.invoke(event, BATCH)
    before, batches = handler.cpu_seconds(), 0
    while handler.cpu_seconds() - before < CPU_SECONDS:
        handler.invoke(event, BATCH)
        batches += 1
    per_cpu_second = BATCH * batches / (handler.cpu_seconds() - before) / 1e6
    handler.end()
    handler = Handler(command, api, kinesis)
    event, inflated = batch(LARGE)
    handler.invoke(event, LARGE)
    peak, inflated_mb = handler.memory_mb("VmHWM"), inflated / 1024 / 1024
    handler.end()
    return {
        f"exec to first `next`, median of {STARTS}": f"{statistics.median(starts):.1f} ms",
        f"first invocation of 1,000 impressions, median of {STARTS}": f"{statistics.median(firsts):.1f} ms",
        "resident at first `next`": f"{statistics.median(resident):.1f} MB",
        f"peak after {LARGE:,} impressions ({inflated_mb:.1f} MB inflated)": f"{peak:.1f} MB, {peak / inflated_mb:.1f} times",
        f"impressions a processor second, batches of {BATCH:,}": f"{per_cpu_second:.3f} M",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target" / "handler" / "bootstrap")
    binary = parser.parse_args().binary
    api, kinesis = serve(RuntimeApi), serve(Kinesis)
    ours = measure([binary], api, kinesis)
    theirs = {}
    if importlib.util.find_spec("boto3"):
        theirs = measure([sys.executable, pathlib.Path(__file__).with_name("bootstrap.py")], api, kinesis)
    print("| figure | split-pipeline | Python, boto3 |\n|---|---|---|")
    for figure, value in ours.items():
        print(f"| {figure} | {value} | {theirs.get(figure, '')} |")
    plain, zipped = size_mb(binary)
    print(f"| binary, zipped | {plain:.1f} MB, {zipped:.1f} MB | |")


if __name__ == "__main__":
    main()
