"""Times split-pipeline against Terraform: equal resources, one emulator, one run.

    python3 benches/terraform/compare.py [--runs 3] [--plugins DIR]

Prints a Markdown table: seconds (the median of the runs) and the number of calls to AWS, those that change
something apart. Needs a release build of split-pipeline (`cargo build --release`), `terraform` on PATH, and what
`--local` needs. DIR is a filesystem mirror with the AWS provider; without it `terraform init` downloads the provider. Building
the handler is not timed: both deploy the zip that the first `up` built.
"""

import argparse
import http.client
import http.server
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = ROOT / "examples" / "quickstart.yaml"
READS = ("Describe", "Get", "List", "Filter")
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


class Counter(http.server.ThreadingHTTPServer):
    """A proxy to the emulator that counts what goes through."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Forward)
        self.target = target
        self.calls = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}"

    def take(self):
        """Gives (calls, changing calls) since the last time."""
        calls, self.calls = self.calls, []
        return len(calls), sum(calls)


class Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self):
        super().setup()
        self.upstream = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=60)

    def finish(self):
        self.upstream.close()
        super().finish()

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.calls.append(self.changes(body))
        upstream = self.upstream
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        # The host is part of what the signature covers, so it stays.
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                upstream.putheader(name, value)
        upstream.endheaders(body)
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        length = answer.getheader("content-length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("content-length", length)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = handle_any

    def changes(self, body):
        operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
        if not operation and b"Action=" in body:
            operation = urllib.parse.parse_qs(body.decode())["Action"][0]
        if operation:
            return not operation.startswith(READS)
        return self.command not in ("GET", "HEAD")

    def log_message(self, *_):
        pass


def run(command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise SystemExit(f"{command} failed:\n{result.stdout}\n{result.stderr}")
    return result.stdout


def measured(counter, command, **options):
    counter.take()
    started = time.monotonic()
    run(command, **options)
    return time.monotonic() - started, *counter.take()


def split_pipeline(binary, handler, counter, env):
    def step(*arguments):
        command = [binary, "--endpoint-url", counter.endpoint, "-f", SPEC, *arguments]
        return measured(counter, command, cwd=ROOT, env=env)

    zip_file = ["--handler", handler]
    return {
        "create everything": step("up", "--yes", *zip_file),
        "nothing to do": step("up", "--yes", *zip_file),
        "plan": step("plan", *zip_file),
        "delete everything": step("down", "--yes", "--purge-data"),
    }


def terraform(binary, handler, counter, env, directory):
    variables = ["-input=false", "-no-color", f"-var=endpoint={counter.endpoint}", f"-var=handler={handler}"]

    def step(*arguments):
        return measured(counter, [binary, *arguments, *variables], cwd=directory, env=env)

    return {
        "create everything": step("apply", "-auto-approve"),
        "nothing to do": step("apply", "-auto-approve"),
        "plan": step("plan"),
        "delete everything": step("destroy", "-auto-approve"),
    }


def terraform_directory(binary, plugins, env, scratch):
    directory = scratch / "terraform"
    directory.mkdir()
    shutil.copy(pathlib.Path(__file__).with_name("main.tf"), directory)
    if plugins:
        config = scratch / "terraform.rc"
        mirror = f'filesystem_mirror {{ path = "{plugins}" }}'
        config.write_text(f"provider_installation {{ {mirror} }}\n")
        env["TF_CLI_CONFIG_FILE"] = str(config)
    started = time.monotonic()
    run([binary, "init", "-input=false", "-no-color"], cwd=directory, env=env)
    print(f"`terraform init`, not in the table: {time.monotonic() - started:.1f} s")
    return directory


def table(ours, theirs):
    print("\n| step | split-pipeline | calls (changing) | terraform | calls (changing) | times faster |")
    print("|---|---|---|---|---|---|")
    for step in ours[0]:
        cells = [step]
        medians = []
        for runs in (ours, theirs):
            if not runs:
                cells += ["-", "-"]
                continue
            medians.append(statistics.median(run[step][0] for run in runs))
            _, calls, changes = runs[-1][step]
            cells += [f"{medians[-1]:.2f} s", f"{calls} ({changes})"]
        cells.append(f"{medians[1] / medians[0]:.0f}" if len(medians) == 2 else "-")
        print(f"| {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--split-pipeline", default=ROOT / "target" / "release" / "split-pipeline")
    parser.add_argument("--terraform", default=shutil.which("terraform"))
    parser.add_argument("--plugins", help="a filesystem mirror with the AWS provider")
    options = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    local = env | {"SPLIT_PIPELINE_LOCAL_PORT": str(port), "SPLIT_PIPELINE_CACHE_DIR": str(scratch / "cache")}
    try:
        # This builds the handler and starts the emulator.
        run([options.split_pipeline, "--local", "-f", SPEC, "smoke", "--ephemeral"], cwd=ROOT, env=local)
        handler = max((ROOT / "target" / "split-pipeline").glob("*.zip"), key=lambda path: path.stat().st_mtime)
        counter = Counter(port)
        ours = [split_pipeline(options.split_pipeline, handler, counter, env) for _ in range(options.runs)]
        theirs = []
        if options.terraform:
            directory = terraform_directory(options.terraform, options.plugins, env, scratch)
            theirs = [terraform(options.terraform, handler, counter, env, directory) for _ in range(options.runs)]
        else:
            print("terraform is not on PATH, so there is nothing to compare with")
        table(ours, theirs)
    finally:
        run([options.split_pipeline, "local", "stop"], env=local)
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
