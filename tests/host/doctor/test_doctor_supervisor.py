"""Processes that crash, hang, and write without end: how each ended, and that nothing is left."""

from __future__ import annotations

import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from doctor_world import LONG, is_alive, wait_until

from speedmetal.doctor.supervisor import TAIL_LINES, Ending, How, Supervisor


@pytest.fixture
def run(tmp_path) -> Callable[..., tuple[Ending, list[Mapping[str, Any]]]]:
    """Runs a program's text under a supervisor."""

    def run(
        text: str,
        *,
        seconds: float = LONG,
        stall_seconds: float = LONG,
        supervisor: Supervisor | None = None,
    ) -> tuple[Ending, list[Mapping[str, Any]]]:
        events: list[Mapping[str, Any]] = []
        ending = (supervisor or Supervisor()).run(
            [sys.executable, "-c", textwrap.dedent(text)],
            folder=tmp_path,
            seconds=seconds,
            stall_seconds=stall_seconds,
            on_event=events.append,
        )
        return ending, events

    return run


def test_a_process_that_returns(run):
    ending, events = run(
        """
        from speedmetal.doctor.events import Events
        events = Events()
        events.send(number=1)
        print("out")
        events.send(text="ü" * 100_000)
        raise SystemExit(7)
        """
    )
    assert (ending.how, ending.code, ending.tail) == (How.RETURNED, 7, ("out",))
    assert ending.describe() == "the process ended with status 7"
    assert events == [{"number": 1}, {"text": "ü" * 100_000}]


def test_a_process_that_crashes_leaves_its_stack(run):
    ending, _ = run(
        """
        from speedmetal.doctor import traces
        import os, signal
        traces.install()
        def inside():
            os.kill(os.getpid(), signal.SIGSEGV)
        inside()
        """
    )
    assert ending.how is How.CRASHED
    assert ending.describe() == "the process was ended by SIGSEGV"
    assert any("in inside" in line for line in ending.tail)


@pytest.mark.parametrize(
    ("limits", "how"),
    [({"seconds": 1.5}, How.OUT_OF_TIME), ({"stall_seconds": 1.5}, How.STALLED)],
)
def test_a_process_that_hangs_says_where(run, limits, how):
    ending, events = run(
        """
        from speedmetal.doctor import traces
        from speedmetal.doctor.events import Events
        import time
        traces.install()
        Events().send(started=True)
        def inside():
            time.sleep(600)
        inside()
        """,
        **limits,
    )
    assert ending.how is how
    assert events == [{"started": True}]
    assert any("in inside" in line for line in ending.tail)


def test_events_put_off_the_stall(run):
    ending, events = run(
        """
        from speedmetal.doctor.events import Events
        import time
        for number in range(8):
            Events().send(number=number)
            time.sleep(0.3)
        """,
        stall_seconds=1.5,
    )
    assert ending.how is How.RETURNED
    assert len(events) == 8


def test_of_endless_output_the_end_is_kept(run):
    ending, _ = run(
        """
        for number in range(20_000):
            print(number, "x" * 1000)
        print("y" * 1_000_000)
        print("\\udcff", end="")
        """.replace("\\udcff", "last")
    )
    assert len(ending.tail) == TAIL_LINES
    assert ending.tail[-1] == "last"
    assert ending.tail[-3].startswith("19999 xxx")
    assert max(map(len, ending.tail)) <= 400


def test_children_end_with_their_parent(run, tmp_path):
    """Proves that nobody waits for a child that holds the pipes, and that it does not stay."""
    started = time.monotonic()
    ending, events = run(
        """
        from speedmetal.doctor.events import Events
        import os, subprocess, sys
        events = Events()
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        events.send(child=child.pid)
        """
    )
    assert ending.how is How.RETURNED
    assert time.monotonic() - started < 300
    wait_until(lambda: not is_alive(events[0]["child"]))


def test_stopping_ends_all_and_starts_no_more(run):
    supervisor = Supervisor()
    threading.Timer(1.0, supervisor.stop).start()
    ending, _ = run("import time; time.sleep(600)", supervisor=supervisor)
    assert ending.how is How.STOPPED
    assert run("print('more')", supervisor=supervisor)[0].how is How.STOPPED
