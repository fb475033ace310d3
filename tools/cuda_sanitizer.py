"""Run kernels of the conformance suite under NVIDIA's compute-sanitizer, and count what it finds.

    python tools/cuda_sanitizer.py [memcheck] [racecheck] [synccheck] [--tests A,B] [--seconds S]

It is looked for on the ``PATH`` and where the toolkit puts it. Each file of tests is a run of its
own; the files of a tool are begun one after the other until its time is over. The exit status is 1
where anything was found, or a test failed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = Path("/usr/local/cuda/bin/compute-sanitizer")
SECONDS = 110
FOUND_STATUS = 99
"""Exit status of a run that found something; pytest has none such."""

WITH_THREADGROUPS = (
    *("capture", "reports", "atomics", "running_numbers", "reductions", "matrices"),
)
FILES = {
    "memcheck": (
        *("launch", "strides", "elementwise", "capture", "reports", "atomics"),
        *("running_numbers", "gathering", "simdgroups"),
    ),
    "racecheck": WITH_THREADGROUPS,
    "synccheck": (*WITH_THREADGROUPS, "simdgroups"),
}
"""For each tool the files of tests, ``test_conformance_NAME.py``, in this order."""

SUMMARY = re.compile(r"=+ (?:ERROR|RACECHECK) SUMMARY: (\d+) (?:errors?|hazards?)")


def sanitizer() -> str:
    """Where it is.

    Raises:
        SystemExit: It is not there.
    """
    found = Path(shutil.which("compute-sanitizer") or INSTALLED)
    if not found.exists():
        sys.exit("compute-sanitizer was not found; it comes with NVIDIA's toolkit")
    return str(found)


def run(tool: str, path: Path, seconds: float) -> tuple[str, bool]:
    """Run the tests of a file; what is said of it, and whether it is as it should be."""
    watched = [sanitizer(), "--tool", tool, "--error-exitcode", str(FOUND_STATUS)]
    tests = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    command = [*watched, *tests, "--device", "cuda", str(path)]
    begin = time.monotonic()
    started = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that the time limit ends what it has started as well
    )
    try:
        text, _ = started.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        text, _ = started.communicate()
        dots = sum(line.count(".") for line in text.splitlines() if re.match(r"[.sx]+", line))
        found = text.count("========= Error") + text.count("========= Warning")
        return f"{found} found; not done after {seconds:.0f} s, {dots} tests passed", not found
    counts = [int(count) for count in SUMMARY.findall(text)]
    last = next((line for line in reversed(text.splitlines()) if " passed" in line), "?")
    said = f"{sum(counts)} found; {last.strip('= ')}; {time.monotonic() - begin:.0f} s"
    is_clean = bool(counts) and not any(counts) and started.returncode == 0
    return (said if is_clean else f"{said}\n{text[-6000:]}"), is_clean


def main() -> int:
    """Run the tools, print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tools", nargs="*", default=list(FILES), choices=list(FILES))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each tool")
    parser.add_argument("--tests", help="names of files, in place of those of each tool")
    options = parser.parse_args()
    is_clean = True
    for tool in options.tools:
        deadline = time.monotonic() + options.seconds
        for name in options.tests.split(",") if options.tests else FILES[tool]:
            path = ROOT / "tests" / "conformance" / f"test_conformance_{name}.py"
            left = deadline - time.monotonic()
            if left < 1:
                print(f"{tool}: {name}: left out, the time is over")
                continue
            said, is_right = run(tool, path, left)
            is_clean &= is_right
            print(f"{tool}: {name}: {said}", flush=True)
    return int(not is_clean)


if __name__ == "__main__":
    sys.exit(main())
