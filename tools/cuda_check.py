"""Prove on an NVIDIA GPU that kernels do there what they do on the CPU.

1. Here, with llvmlite: ``python tools/cuda_check.py --record cuda_expected.npz``.
2. There: ``PYTHONPATH=src:tools python tools/cuda_check.py --check cuda_expected.npz --out FOLDER``
   compares each case (:mod:`cuda_cases`) with the recorded results, runs the conformance tests with
   every launch on the GPU (:mod:`cuda_pytest`), and random programs of ``tests/fuzz``. Needed there
   are the driver, NVRTC, NumPy, ml_dtypes, pytest, pytest-timeout, pytest-xdist and hypothesis.

``--dry-run`` compiles and packs everything, and stops before the driver is asked for anything. Each
group has a process of its own, because a kernel that fails badly spoils its process. The exit
status is 1 where anything differs; FOLDER/cuda_check.json has everything.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SECONDS_A_GROUP = 150
SECONDS_OF_TESTS = 240
SECONDS_A_TEST = 60
FUZZ_PROGRAMS = 40
CPU_ONLY = "test_threads_that_disagree_on_a_barrier_are_found_at_level_2"
"""What it asserts of the CPU is undefined on a GPU: a barrier that some threads do not reach."""

Row = dict[str, Any]


# --- Here ----------------------------------------------------------------------------------------


def record(path: Path, names: list[str]) -> int:
    """Write what the CPU gives for each case."""
    import cuda_cases

    found: dict[str, np.ndarray[Any, Any]] = {}
    for case in cuda_cases.cases():
        if names and case.name not in names:
            continue
        for number, array in enumerate(case.run()):
            found[f"{case.name}:{number}"] = array.view(np.uint8)
    np.savez_compressed(path, allow_pickle=False, **found)
    print(f"{len(found)} arrays, {path.stat().st_size / 1e6:.1f} MB in {path}")
    return 0


# --- One group, in a process of its own ----------------------------------------------------------


def run_group(group: str, expected: Path, *, dry: bool) -> Iterator[Row]:
    """Run the cases of a group on the GPU."""
    import cuda_cases
    import cuda_program

    cuda_program.install(dry=dry)
    recorded = np.load(expected, allow_pickle=False)
    for case in cuda_cases.cases():
        if case.group == group:
            yield _checked(case, recorded, dry=dry)


def _checked(case: Any, recorded: Any, *, dry: bool) -> Row:
    row: Row = {"name": case.name, "ok": True, "ulp": 0.0, "bits": True, "first": ""}
    try:
        results = case.run()
    except Exception:  # noqa: BLE001 - whatever it is, the row tells it
        return row | {"ok": False, "first": traceback.format_exc()[-2500:]}
    if dry:
        return row
    for number, found in enumerate(results):
        raw = recorded[f"{case.name}:{number}"]
        if raw.size != found.nbytes:
            text = bytes(found.view(np.uint8)).decode(errors="replace")
            return row | {"ok": False, "first": f"{found.nbytes} bytes, not {raw.size}: {text!r}"}
        row = _compared(row, found, raw.view(found.dtype).reshape(found.shape), case.ulp)
    if case.exact is not None:
        row = _against_exact(row, results[0], case)
    return row


def _compared(row: Row, found: Any, wanted: Any, allowed: float) -> Row:
    """The row, with the largest difference from what the CPU gave."""
    same = found.view(np.uint8) == wanted.view(np.uint8)
    row = row | {"bits": row["bits"] and bool(same.all())}
    if found.dtype.kind != "f" and found.dtype.itemsize != 2:
        wrong = np.flatnonzero((found != wanted).ravel())
        return row if not wrong.size else _wrong(row, found, wanted, wrong)
    distance = _distance(found, wanted)
    row["ulp"] = max(row["ulp"], float(distance.max(initial=0)))
    wrong = np.flatnonzero(distance.ravel() > allowed)
    return row if not wrong.size else _wrong(row, found, wanted, wrong)


def _wrong(row: Row, found: Any, wanted: Any, wrong: Any) -> Row:
    place = int(wrong[0])
    text = f"[{place}] is {found.ravel()[place]}, not {wanted.ravel()[place]}"
    return row | {"ok": False, "first": f"{text} ({wrong.size} of {found.size})"}


def _distance(found: Any, wanted: Any) -> Any:
    """How many floats lie between two; NaN are equal, zeros too."""
    places = [_place(array) for array in (found, wanted)]
    both_nan = np.isnan(found) & np.isnan(wanted)
    one_nan = np.isnan(found) != np.isnan(wanted)
    distance = np.abs(places[0].astype(np.float64) - places[1].astype(np.float64))
    return np.where(both_nan, 0.0, np.where(one_nan, np.inf, distance))


def _place(array: Any) -> Any:
    """The place of a float among all of its type, as an integer."""
    bits = array.view(f"i{array.dtype.itemsize}").astype(np.int64)
    least = -(1 << (8 * array.dtype.itemsize - 1))
    return np.where(bits < 0, least - bits, bits)


def _against_exact(row: Row, found: Any, case: Any) -> Row:
    from speedmetal.intrinsics.accuracy import ulp_errors

    errors = ulp_errors(found, case.exact())
    worst = float(errors.max())
    row = row | {"exact_ulp": worst, "exact_bound": case.exact_ulp}
    if worst > case.exact_ulp:
        row = row | {"beyond_exact": int((errors > case.exact_ulp).sum())}
    return row


def run_fuzz(number: int, *, dry: bool) -> Iterator[Row]:
    """Random programs, against plain Python."""
    sys.path += [str(ROOT / "tests"), str(ROOT / "tests/fuzz")]
    import cuda_program
    import fuzz_model
    from fuzz_programs import programs
    from hypothesis import HealthCheck, Phase, given, seed, settings

    cuda_program.install(dry=dry)
    rows: list[Row] = []

    def check(program: Any, folder: Path) -> None:
        wanted = fuzz_model.expected(program)
        kernel = fuzz_model.load(program, folder / "program.py")
        try:
            found = fuzz_model.launched(kernel, program)
            wrong = [] if dry else fuzz_model.differences(found, wanted)
        except Exception:  # noqa: BLE001 - whatever it is, the row tells it
            wrong = [traceback.format_exc()[-2500:]]
        if wrong:
            rows.append({"name": f"program {number}/{len(rows)}", "ok": False,
                         "first": f"{wrong[0]}\nthreads={program.threads} debug={program.debug}\n"
                         f"{program.source}"})  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:

        @seed(9000 + number)
        @settings(
            max_examples=FUZZ_PROGRAMS, deadline=None, database=None,
            phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(programs())
        def each(program: Any) -> None:
            check(program, Path(folder))

        each()
    yield {"name": f"random programs {number}", "ok": not rows, "first": f"{len(rows)} wrong"}
    yield from rows[:5]


# --- All of it -----------------------------------------------------------------------------------


def check(expected: Path, out: Path, jobs: int, *, dry: bool, parts: set[str]) -> int:
    """Run every group, print the table, write the results."""
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    begin = time.monotonic()
    if "cases" in parts or "fuzz" in parts:
        groups = [*_groups()] if "cases" in parts else []
        groups += [f"fuzz:{n}" for n in range(jobs)] if "fuzz" in parts else []
        with ThreadPoolExecutor(jobs) as pool:
            for found in pool.map(lambda g: _group_rows(g, expected, dry=dry), groups):
                rows += found
        print(f"cases: {time.monotonic() - begin:.0f} s", flush=True)
        _write(out, rows)
    if "tests" in parts:
        rows += _test_rows(out, jobs, dry=dry)
    for row in rows:
        if not row["name"].startswith("tests/") or not row["ok"]:
            print(_line(row))
    _write(out, rows)
    failed = sum(not row["ok"] for row in rows)
    print(f"{len(rows)} results, {failed} wrong, {time.monotonic() - begin:.0f} s")
    return int(failed > 0)


def _groups() -> Iterator[str]:
    import cuda_cases

    yield from dict.fromkeys(case.group for case in cuda_cases.cases())


def _group_rows(group: str, expected: Path, *, dry: bool) -> list[Row]:
    command = [sys.executable, __file__, "--group", group, "--check", str(expected)]
    rows, ending = _lines_of(command + ["--dry-run"] * dry, SECONDS_A_GROUP, {})
    if ending:
        rows.append({"name": f"group {group}", "ok": False, "first": ending})
    return [row | {"group": group} for row in rows]


def _lines_of(
    command: list[str], seconds: int, environment: dict[str, str]
) -> tuple[list[Row], str]:
    """The rows that a process printed, and how it ended if badly."""
    folders = os.pathsep.join([str(ROOT / "src"), str(HERE), os.environ.get("PYTHONPATH", "")])
    variables = os.environ | {"PYTHONPATH": folders, "SPEEDMETAL_CACHE": "0"} | environment
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=output, stderr=complaints
        )
        ending = ""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ending = f"took more than {seconds} s"
        output.seek(0)
        complaints.seek(0)
        rows = [json.loads(line) for line in output if line.startswith("{")]
        if process.returncode and not ending:
            ending = f"exit status {process.returncode}: {complaints.read()[-2500:]}"
    return rows, ending


def _test_rows(out: Path, jobs: int, *, dry: bool) -> list[Row]:
    """The conformance tests, with every launch on the GPU."""
    results, log = out / "cuda_tests.jsonl", out / "cuda_fatal.log"
    results.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", "-p", "cuda_pytest", "-q", "--tb=short", "-n", str(jobs)),
        *("--max-worker-restart=200", "-p", "no:cacheprovider", "-p", "no:randomly"),
        *("-k", f"not {CPU_ONLY}", f"--timeout={SECONDS_A_TEST}", "--timeout-method=thread"),
        "tests/conformance",
    ]
    environment = {"CUDA_CHECK_RESULTS": str(results), "CUDA_CHECK_LOG": str(log)}
    _, ending = _lines_of(
        command, SECONDS_OF_TESTS, environment | {"CUDA_CHECK_DRY": "1"} if dry else environment
    )
    lines = results.read_text().splitlines() if results.exists() else []
    rows = []
    for line in map(json.loads, lines):
        is_right = line["outcome"] != "failed" or (dry and "AssertionError" in line["text"])
        rows.append({"name": line["test"], "group": "tests", "ok": is_right,
                     "first": "" if is_right else line["text"]})  # fmt: skip
    if not rows or ending.startswith("took"):
        rows.append({"name": "tests", "group": "tests", "ok": False, "first": ending})
    return rows


def _line(row: Row) -> str:
    state = "ok" if row["ok"] else "WRONG"
    more = f" same bits: {row['bits']!s:5}, ulp to CPU {row['ulp']:g}" if "bits" in row else ""
    if "exact_ulp" in row:
        more += f", to exact {row['exact_ulp']:.3g} (bound {row['exact_bound']:g})"
        more += f", BEYOND at {row['beyond_exact']}" if "beyond_exact" in row else ""
    text = "" if row["ok"] else " " + "\n      ".join(row["first"].splitlines()[-12:])
    return f"{state:5} {row['name']:36}{more}{text}"


def _write(out: Path, rows: list[Row]) -> None:
    (out / "cuda_check.json").write_text(json.dumps(rows, indent=1))


def main() -> int:
    """Record here, check there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--check", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "runs")))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--parts", default="cases,fuzz,tests")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--group", help="run one group, and print its results")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.record:
        return record(options.record, options.names)
    if not options.group:
        parts = set(options.parts.split(","))
        return check(options.check, options.out, options.jobs, dry=options.dry_run, parts=parts)
    kind, _, number = options.group.partition(":")
    rows = (
        run_fuzz(int(number), dry=options.dry_run)
        if kind == "fuzz"
        else run_group(options.group, options.check, dry=options.dry_run)
    )
    for row in rows:
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
