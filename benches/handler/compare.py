"""Times a batch's way through the handler beside inflating alone, the same work in Python and Node, and the vendor's sample.

    python3 benches/handler/compare.py

Prints a Markdown table of millions of impressions a second on one core, and ratios. Rust's last step is signed requests; "bodies"
stops, as Python and Node do, at the bodies of the requests. The vendor's sample, in Java, does part of that: it starts from a body that
was inflated and parsed, and ends with records that are not encoded. Runs `cargo bench`, which compiles for five minutes the first
time. Node and Java are left out where they are not installed.
"""

import base64
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SIZES = [100, 1_000, 10_000, 50_000]
GROUPS = {"gunzip alone": "gunzip alone", "bodies": "event to bodies", "signed": "event to PutRecords"}


def bench(events):
    """Runs the benchmark, which writes its events, and gives impressions a second by group and size."""
    command = ["cargo", "bench", "-p", "split-pipeline-handler", "--profile", "handler", "--bench", "batch"]
    environment = os.environ | {"SPLIT_PIPELINE_BENCH_EVENTS": events}
    arguments = ["--", "--warm-up-time", "1", "--measurement-time", "3"]
    subprocess.run(command + arguments, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    rates = {}
    for name, group in GROUPS.items():
        for size in SIZES:
            estimates = target / "criterion" / group / str(size) / "new" / "estimates.json"
            nanoseconds = json.loads(estimates.read_text())["mean"]["point_estimate"]
            rates[name, size] = size / nanoseconds * 1e9
    return rates


def script(interpreter, name, event):
    output = subprocess.run([interpreter, HERE / name, event], check=True, capture_output=True).stdout
    result = json.loads(output)
    return result["impressions"] / result["seconds"]


def as_java_prints(value):
    """Gives the text that Java makes of parsed JSON, which is what the vendor's sample takes apart."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}={as_java_prints(field)}" for name, field in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_java_prints, value)) + "]"
        case str():
            return value
        case _:
            return json.dumps(value)


def vendor(events, size):
    event = json.loads(pathlib.Path(f"{events}/{size}.json").read_bytes())
    impressions = json.loads(gzip.decompress(base64.b64decode(event["body"])))
    text = pathlib.Path(f"{events}/{size}.txt")
    text.write_text(as_java_prints(impressions))
    return script("java", "Vendor.java", text)


def main():
    with tempfile.TemporaryDirectory() as events:
        rates = bench(events)
        for size in SIZES:
            event = f"{events}/{size}.json"
            rates["Python", size] = script(sys.executable, "batch.py", event)
            if shutil.which("node"):
                rates["Node", size] = script("node", "batch.js", event)
            if shutil.which("java"):
                rates["vendor", size] = vendor(events, size)
    names = ["gunzip alone", "bodies", "signed", "Python", "Node", "vendor"]
    ratios = [("gunzip alone", "bodies"), ("bodies", "Python"), ("bodies", "Node"), ("bodies", "vendor")]
    titles = ["batch", *names, *(f"{one}/{other}" for one, other in ratios)]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for size in SIZES:
        of = {name: rates.get((name, size)) for name in names}
        cells = [f"{rate / 1e6:.2f}" if rate else "" for rate in of.values()]
        cells += [f"{of[one] / of[other]:.1f}" if of[other] else "" for one, other in ratios]
        print(f"| {size:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
