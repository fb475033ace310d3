"""Run the conformance suite under NVIDIA's compute-sanitizer, and count what it finds.

    python tools/cuda_sanitizer.py [memcheck] [racecheck] [synccheck] [--tests A,B] [--seconds S]
        [--jobs N]

It is looked for on the ``PATH`` and where the toolkit puts it. Each file of tests is a run of its
own, ``--jobs`` of them at once; those of a tool are begun one after the other until its time is
over. The exit status is 1 where anything was found, or a test failed.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = Path("/usr/local/cuda/bin/compute-sanitizer")
SECONDS = 110
FOUND_STATUS = 99
"""Exit status of a run that found something; pytest has none such."""

TOOLS = ("memcheck", "racecheck", "synccheck")
CONFORMANCE = ROOT / "tests" / "conformance"
CAUSE_FAULTS = {"cuda_faults", "cards", "devices"}
"""Files whose tests make the card fail, or are about what surrounds kernels."""

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


def files() -> list[str]:
    """The names of the suite's files, ``test_conformance_NAME.py``; the longest come first."""
    found = CONFORMANCE.glob("test_conformance_*.py")
    longest_first = sorted(found, key=lambda path: -path.stat().st_size)
    names = (path.stem.removeprefix("test_conformance_") for path in longest_first)
    return [name for name in names if name not in CAUSE_FAULTS]


def run(tool: str, path: Path, seconds: float) -> tuple[str, bool]:
    """Run the tests of a file; what is said of it, and whether it is as it should be."""
    watched = [sanitizer(), "--tool", tool, "--error-exitcode", str(FOUND_STATUS)]
    if tool == "memcheck":  # tests ask for more memory than there is, and look at what is said
        watched += ["--report-api-errors", "no"]
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


def run_all(tool: str, names: list[str], seconds: float, jobs: int) -> bool:
    """Run files of tests under a tool, print a line for each; whether all is as it should be."""
    deadline = time.monotonic() + seconds

    def run_one(name: str) -> bool:
        left = deadline - time.monotonic()
        if left < 1:
            print(f"{tool}: {name}: left out, the time is over", flush=True)
            return True
        said, is_right = run(tool, CONFORMANCE / f"test_conformance_{name}.py", left)
        print(f"{tool}: {name}: {said}", flush=True)
        return is_right

    with ThreadPoolExecutor(jobs) as threads:
        return all(list(threads.map(run_one, names)))


def main() -> int:
    """Run the tools."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tools", nargs="*", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each tool")
    parser.add_argument("--jobs", type=int, default=1, help="files at once")
    parser.add_argument("--tests", help="names of files, in place of all")
    options = parser.parse_args()
    names = options.tests.split(",") if options.tests else files()
    clean = [run_all(tool, names, options.seconds, options.jobs) for tool in options.tools]
    return int(not all(clean))


if __name__ == "__main__":
    sys.exit(main())
