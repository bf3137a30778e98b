"""Times a batch's way through the handler beside inflating alone, and beside the same work in Python and Node.

    python3 benches/handler/compare.py

Prints a Markdown table of millions of impressions a second on one core, and ratios. Rust's last step is signed requests; "bodies"
stops, as Python and Node do, at the bodies of the requests. Runs `cargo bench`, which compiles for five minutes the first time. Node
is left out where it is not installed.
"""

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


def main():
    with tempfile.TemporaryDirectory() as events:
        rates = bench(events)
        for size in SIZES:
            event = f"{events}/{size}.json"
            rates["python", size] = script(sys.executable, "batch.py", event)
            if shutil.which("node"):
                rates["node", size] = script("node", "batch.js", event)
    print("| batch | gunzip alone | bodies | signed | Python | Node | gunzip/bodies | bodies/Python | bodies/Node |")
    print("|---|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        inflate, bodies, signed, python = (rates[name, size] for name in ["gunzip alone", "bodies", "signed", "python"])
        node = rates.get(("node", size))
        millions = [f"{rate / 1e6:.2f}" if rate else "" for rate in [inflate, bodies, signed, python, node]]
        ratios = [inflate / bodies, bodies / python, bodies / node if node else None]
        cells = millions + [f"{ratio:.1f}" if ratio else "" for ratio in ratios]
        print(f"| {size:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
