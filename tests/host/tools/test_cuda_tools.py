"""The tools for NVIDIA GPUs: what they ask for is asked, what others print is read."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from cuda_machine import DryDriver, dry_device
from nvrtc import needs_nvrtc
from speedmetal.backends import registry
from speedmetal.backends.cuda.driver import build
from speedmetal.backends.cuda.nvrtc import compile_library

sys.path.append(str(Path(__file__).parents[3] / "tools"))

import cuda_sanitizer
import cuda_soak
import first_calls

PROGRAMS = Path(__file__).parents[3] / "tools" / "programs"


@needs_nvrtc
def test_the_soak_asks_for_as_much_as_it_says(monkeypatch):
    """And leaves nothing behind: graphs and arrays that nobody holds go back."""
    driver = DryDriver()
    driver.on_launch = lambda _launch: None
    device = dry_device(driver)
    monkeypatch.setitem(registry._present, "cuda", device)
    found = list(cuda_soak.readings(cuda_soak.Load(device), 3000))
    assert [asked for asked, *_ in found] == sorted(asked for asked, *_ in found)
    assert found[-1][0] >= 3000
    assert len(found) == cuda_soak.READINGS
    assert len(driver.graphs) <= 4  # of the last capture, and of one before it
    assert len(driver.memory) < 100


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Has a script take the place of compute-sanitizer."""

    def install(script):
        path = tmp_path / "compute-sanitizer"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


@pytest.mark.skipif(sys.platform == "win32", reason="a shell stands in for it")
@pytest.mark.parametrize(
    ("summary", "status", "said", "is_clean"),
    [
        ("========= ERROR SUMMARY: 0 errors", 0, "0 found; 5 passed in 1.0s; ", True),
        ("========= ERROR SUMMARY: 3 errors", 99, "3 found; 5 passed in 1.0s; ", False),
        (
            "========= RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)",
            99,
            "2 found; ",
            False,
        ),
        ("========= ERROR SUMMARY: 0 errors", 1, "0 found; ", False),
        ("nothing was looked at", 0, "0 found; ", False),
    ],
)
def test_what_the_sanitizer_says_is_counted(tool, summary, status, said, is_clean):
    tool(f"echo 5 passed in 1.0s; echo '{summary}'; exit {status}")
    text, is_right = cuda_sanitizer.run("memcheck", Path("test_a.py"), 20)
    assert text.startswith(said)
    assert is_right == is_clean


@pytest.mark.skipif(sys.platform == "win32", reason="a shell stands in for it")
def test_what_takes_too_long_is_ended_with_what_was_found(tool):
    tool("echo '..'; echo '========= Error: x'; sleep 60")
    text, is_right = cuda_sanitizer.run("memcheck", Path("test_a.py"), 0.5)
    assert text.startswith("1 found; not done after ")
    assert "2 tests passed" in text
    assert not is_right


def test_without_the_sanitizer_it_is_said_where_it_comes_from(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(cuda_sanitizer, "INSTALLED", Path("nowhere"))
    with pytest.raises(SystemExit, match="it comes with NVIDIA's toolkit"):
        cuda_sanitizer.sanitizer()


def test_the_whole_suite_is_looked_at_but_for_what_causes_faults():
    names = set(cuda_sanitizer.files())
    assert {"launch", "reductions", "matrices", "replaying"} <= names
    assert not names & cuda_sanitizer.CAUSE_FAULTS
    folder = Path(__file__).parents[2] / "conformance"
    left_out = cuda_sanitizer.CAUSE_FAULTS
    assert all((folder / f"test_conformance_{name}.py").exists() for name in names | left_out)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell stands in for it")
@pytest.mark.parametrize("jobs", [1, 3])
def test_files_run_at_once_and_one_that_finds_something_is_enough(tool, jobs, capsys):
    found = 'case "$*" in *_rows.py) n=1;; *) n=0;; esac'
    tool(f'{found}; echo 5 passed; echo "========= ERROR SUMMARY: $n errors"; exit $n')
    names = ["launch", "rows", "order"]
    assert not cuda_sanitizer.run_all("memcheck", names, 20, jobs)
    assert cuda_sanitizer.run_all("memcheck", ["launch", "order"], 20, jobs)
    assert cuda_sanitizer.run_all("memcheck", names, 0, jobs)
    printed = capsys.readouterr().out
    assert printed.count("memcheck: rows: 1 found") == 1
    assert printed.count("left out, the time is over") == 3


@needs_nvrtc
def test_the_raw_kernels_that_programs_are_compared_with_compile():
    """As CuPy compiles them; it is not installed where there is no GPU."""
    text = (PROGRAMS / "in_cupy.py").read_text()
    source = text.partition('SOURCE = r"""')[2].partition('"""')[0]
    names = re.findall(r'^extern "C" __global__ void (\w+)\(', source, re.MULTILINE)
    assert len(names) == 9
    assert set(re.findall(r'_kernel\("(\w+)"\)', text)) == set(names)
    code, symbols = compile_library(source, "sm_90", [], names)
    assert code
    assert set(symbols) == set(names)


@needs_nvrtc
def test_first_calls_are_timed_apart_from_the_compiler(monkeypatch, tmp_path):
    """The kernel that was called cold comes from disk the second time."""
    driver = DryDriver()
    driver.on_launch = lambda _launch: None
    monkeypatch.setitem(registry._present, "cuda", dry_device(driver))
    monkeypatch.setattr(build, "compile_cubin", build.compile_cubin)  # and put it back
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path / "cache"))
    library = first_calls.LIBRARIES["speedmetal, running totals"]()
    cold, again = (library.first_call(3) for _ in range(2))
    assert cold["NVRTC"] > 0
    assert again["NVRTC"] == 0
    for found in (cold, again):
        assert found["all"] == pytest.approx(found["NVRTC"] + found["besides"])
        assert found["besides"] > 0
