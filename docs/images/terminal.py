#!/usr/bin/env python3
"""Draws docs/images/terminal.svg: a real run of the commands below, against the local emulator.

Run in a clone, with `pip install rich` and `cargo build` before: docs/images/terminal.py
"""

import os
import pathlib
import re
import subprocess
import tempfile

from rich.console import Console
from rich.text import Text

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/debug/split-pipeline"
COLUMNS = 92
COMMANDS = [
    (["init", "-q"], []),
    (["plan", "--local", "--color", "always"], [4, -2]),
    (["up", "--local", "--color", "always"], [30, 0]),
    (["smoke", "--local", "--count", "5000"], None),
    (["status", "--local", "--color", "always"], None),
]


def shown(lines, keep):
    """The lines, or the first and last few of them."""
    if keep is None or len(lines) <= keep[0] - keep[1]:
        return lines
    first, last = keep
    return lines[:first] + ["…"] + (lines[last:] if last else [])


def main():
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))
    environment = {**os.environ, "SPLIT_PIPELINE_LOCAL_PORT": "4790", "COLUMNS": str(COLUMNS)}
    with tempfile.TemporaryDirectory() as directory:
        def run(arguments):
            return subprocess.run([PROGRAM, *arguments], cwd=directory, env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        run(["local", "start"])
        try:
            for arguments, keep in COMMANDS:
                output = run(arguments)
                # What follows the URL is advice, and what comes before the first resource is about this machine.
                output = output.split("\nSplit cannot reach")[0]
                lines = [line for line in output.splitlines() if not re.match("the handler is|packing|compiling", line)]
                command = " ".join(word for word in arguments if word not in ("--color", "always", "-q"))
                console.print(Text(f"$ split-pipeline {command}", style="bold"))
                for line in shown(lines, keep) if keep != [] else []:
                    console.print(Text.from_ansi(line), crop=True, no_wrap=True, overflow="ellipsis")
        finally:
            run(["local", "stop"])
    svg = console.export_svg(title="split-pipeline")
    # An image in a page loads nothing from elsewhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "monospace").replace('"Fira Code"', "monospace")
    (ROOT / "docs/images/terminal.svg").write_text(svg)


if __name__ == "__main__":
    main()
