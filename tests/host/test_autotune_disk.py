"""What tuning has found is kept on disk: once for all processes, and never trusted when damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.system.disk_cache import CacheWarning, DiskCache, default_cache
from speedmetal.tuning import keys, measuring, search
from speedmetal.tuning.table import Trial, packed, unpacked

FACTOR = 2


@sm.kernel
def scaled(a, b, each):
    first = each * sm.thread_position_in_grid().x
    for k in sm.static_range(each):
        b[first + k] = FACTOR * a[first + k]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for each test."""
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("SPEEDMETAL_AUTOTUNE", raising=False)
    monkeypatch.setattr(measuring, "ROUNDS", 3)
    return tmp_path / "cache"


@pytest.fixture
def measured(monkeypatch):
    """How often was measured."""
    calls = []
    real = search.measure
    monkeypatch.setattr(search, "measure", lambda *given: calls.append(1) or real(*given))
    return calls


def run(kernel=scaled, size=64, each=(1, 2), **options):
    """A new process's first call, as far as it goes in this one."""
    tuned = sm.autotune(threads=[32, 64], each=list(each), **options)(kernel)
    a, b = np.arange(size, dtype=np.float32), np.zeros(size, np.float32)
    tuned(a, b, grid=lambda c: size // c.each, device="cpu")
    np.testing.assert_array_equal(b, FACTOR * a)
    return tuned.tuned[0] if tuned.tuned else None


def test_what_was_found_is_found_again(measured, cache):
    first, again = run(), run()
    assert measured == [1]
    assert (first.is_from_disk, again.is_from_disk) == (False, True)
    assert (again.trials, again.chosen) == (first.trials, first.chosen)
    assert "found on disk" in str(again)
    assert cache.stat().st_mode & 0o777 == 0o700
    assert all(entry.stat().st_mode & 0o777 == 0o600 for entry in cache.iterdir())


def test_what_differs_is_measured_on_its_own(measured, monkeypatch):
    run()
    for count, options in enumerate(
        ({"each": (2, 1)}, {"each": (1,)}, {"tolerance": 0.5}, {"key": ["a"]}, {"size": 128}), 2
    ):
        run(**options)
        assert len(measured) == count
    monkeypatch.setitem(globals(), "FACTOR", 3)  # another program
    run()
    assert len(measured) == 7
    with sm.math_mode("fast"):
        run()
    assert len(measured) == 8


def test_another_card_of_the_same_architecture_is_measured_on_its_own(measured, monkeypatch):
    run()
    monkeypatch.setattr(sm.device("cpu"), "description", "another processor")
    run()
    assert len(measured) == 2


def test_what_is_damaged_is_measured_again(measured, cache):
    found = run()
    for path in cache.iterdir():
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        path.write_bytes(content)
    assert run().is_from_disk is False
    assert run().chosen in range(len(found.trials))
    assert len(measured) == 2


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"[]",
        b'{"trials": [], "chosen": 0}',
        b'{"trials": [["threads=32, each=1", 1.0, ""]], "chosen": 0}',
        b"\xff\xfe",
        packed([Trial("a", 1.0), Trial("b", None)], 1),
        packed([Trial("a", 1.0), Trial("b", 2.0)], 2),
        b'{"trials": [["a", "1", ""], ["b", 1.0, ""]], "chosen": 1}',
    ],
)
def test_what_is_no_table_of_these_is_none(entry):
    assert unpacked(entry, ["a", "b"]) is None


def test_an_entry_of_something_else_is_measured_again(measured, monkeypatch):
    run()
    names = []
    real = keys.disk_key
    monkeypatch.setattr(
        "speedmetal.tuning.autotuned.disk_key",
        lambda *given: names.append(real(*given)) or names[-1],
    )
    run()
    default_cache().put(names[0], b"what else may be there")
    assert run().is_from_disk is False
    assert len(measured) == 2


def test_a_folder_that_cannot_be_written_to_is_warned_of(measured, tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_text("no folder")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(place / "cache"))
    with pytest.warns(CacheWarning, match="cannot be kept on disk"):
        run()
    run()
    assert len(measured) == 2


def test_without_a_cache_each_process_measures(measured, monkeypatch):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run()
        run()
    assert len(measured) == 2


def test_the_environment_says_anew_or_off(measured, monkeypatch):
    monkeypatch.setenv("SPEEDMETAL_AUTOTUNE", "off")
    with pytest.warns(sm.AutotuneWarning, match="SPEEDMETAL_AUTOTUNE=off; the first"):
        assert run() is None
    monkeypatch.setenv("SPEEDMETAL_AUTOTUNE", "anew")
    assert run().is_from_disk is False
    assert run().is_from_disk is False
    assert len(measured) == 2
    monkeypatch.setenv("SPEEDMETAL_AUTOTUNE", "off")
    assert run().is_from_disk is True
    monkeypatch.setenv("SPEEDMETAL_AUTOTUNE", "yes")
    with pytest.raises(sm.UserInputError, match="SPEEDMETAL_AUTOTUNE is 'yes'; expected anew"):
        run()


# --- Processes -----------------------------------------------------------------------------------

PROGRAM = textwrap.dedent(
    """
    import sys
    import numpy as np
    import speedmetal as sm
    from speedmetal.tuning import measuring

    measuring.ROUNDS = int(sys.argv[1])
    measuring._SECONDS = 1e9

    @sm.autotune(threads=[32, 64, 128], each=[1, 2])
    @sm.kernel
    def doubled(a, b, each):
        first = each * sm.thread_position_in_grid().x
        for k in sm.static_range(each):
            b[first + k] = 2 * a[first + k]

    a, b = np.arange(640, dtype=np.float32), np.zeros(640, np.float32)
    print("begun", flush=True)
    doubled(a, b, grid=lambda c: 640 // c.each, device="cpu")
    assert (b == 2 * a).all()
    print("from disk" if doubled.tuned[0].is_from_disk else "measured")
    """
)


def start(folder: Path, rounds: int) -> subprocess.Popen[str]:
    path = folder / "program.py"
    path.write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, str(path), str(rounds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def told(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    return out.split("\n")[-2]


def test_a_process_that_was_killed_while_it_measured_leaves_nothing(tmp_path, cache):
    endless = start(tmp_path, 10**9)
    assert endless.stdout is not None
    assert endless.stdout.readline() == "begun\n"
    time.sleep(1.5)
    endless.send_signal(signal.SIGKILL)
    endless.communicate(timeout=60)
    assert endless.returncode == -signal.SIGKILL
    assert told(start(tmp_path, 3)) == "measured"
    assert told(start(tmp_path, 3)) == "from disk"
    assert not [path for path in cache.iterdir() if path.name.startswith(".new-")]


def test_processes_at_once_find_whole_entries(tmp_path):
    together = [start(tmp_path, 5) for _ in range(3)]
    assert {told(process) for process in together} <= {"measured", "from disk"}
    assert told(start(tmp_path, 5)) == "from disk"


def test_kernels_without_a_text_for_every_process_are_measured_in_each(measured, monkeypatch):
    from speedmetal.compiler.fingerprint import Fingerprint, UnkeyableError

    def refuse(self, value):
        raise UnkeyableError("a something")

    put = []
    monkeypatch.setattr(Fingerprint, "add", refuse)
    monkeypatch.setattr(DiskCache, "put", lambda *given: put.append(given))
    run()
    run()
    assert len(measured) == 2
    assert not put
