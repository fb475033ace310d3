"""Processors and threads of a real process: what it is put on, and how many of its threads work."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the system lets no process choose"
)

PROGRAM = """
import json, os, sys, threading
from speedmetal.bench.measure import affinity

def processors():
    return [sorted(os.sched_getaffinity(int(t))) for t in sorted(os.listdir("/proc/self/task"))]

home = sorted(os.sched_getaffinity(0))
report = {"home": home}
stop = threading.Event()
early = threading.Thread(target=stop.wait)
early.start()
affinity.stay_on([])
report["nothing asked"] = processors()
affinity.stay_on(home[:1])
late = threading.Thread(target=stop.wait)
late.start()
report["one"] = processors()
affinity.stay_on(home)
report["all"] = processors()
stop.set()
early.join(); late.join()
with affinity.BusyThreads() as found:
    pass
report["nothing"] = found.count
sys.stdout.write(json.dumps(report))
"""


@pytest.fixture(scope="module")
def report() -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120
    )
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_all_threads_stay_on_the_processors(report: dict[str, object]) -> None:
    """Proves that threads that were there before, and those that are started later, are on the
    processor that was asked for, that they come back, and that no wish changes nothing."""
    home = report["home"]
    assert isinstance(home, list)
    assert report["nothing asked"] == [home] * 2
    assert report["one"] == [home[:1]] * 3
    assert report["all"] == [home] * 3


def test_no_work_is_one_thread(report: dict[str, object]) -> None:
    """Proves that no work at all counts as one thread."""
    assert report["nothing"] == 1


POOL = """
import json, sys, threading, time
from speedmetal.bench.measure import affinity

def compute(begin, done, stop):
    begin.wait()
    until = time.thread_time() + 0.08
    while time.thread_time() < until:
        pass
    done.release()
    stop.wait()

def count(workers):
    begin, stop, done = threading.Event(), threading.Event(), threading.Semaphore(0)
    threads = [threading.Thread(target=compute, args=(begin, done, stop)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    with affinity.BusyThreads() as found:
        begin.set()
        for _ in threads:
            done.acquire()
    stop.set()
    for thread in threads:
        thread.join()
    return found.count

sys.stdout.write(json.dumps([count(n) for n in (1, 2, 4)]))
"""


def test_threads_of_a_pool_are_counted() -> None:
    """Proves that those that compute are counted, and that who waits for them is not."""
    done = subprocess.run(
        [sys.executable, "-c", POOL], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == [1, 2, 4]
