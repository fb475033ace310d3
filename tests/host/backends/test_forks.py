"""What is called in forked children: functions, methods of what lives, in a process that forks."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from speedmetal.backends import forks

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Named:
    def __init__(self, name: str, called: list[str]) -> None:
        self.name = name
        self.called = called

    def tell(self) -> None:
        self.called.append(self.name)


@pytest.fixture
def nothing_known(monkeypatch):
    """Nothing of this process is told that it was forked."""
    monkeypatch.setattr(forks, "_methods", {})
    monkeypatch.setattr(forks, "_functions", [])


@pytest.mark.usefixtures("nothing_known")
def test_methods_are_called_in_order_as_long_as_their_objects_live():
    called: list[str] = []
    first, second, third = (Named(name, called) for name in ("first", "second", "third"))
    for each in (first, second, third):
        forks.call_in_children(each.tell)
    forks.call_in_children(lambda: called.append("function"))
    del each, second
    gc.collect()
    assert len(forks._methods) == 2
    forks._run_in_child()
    assert called == ["function", "first", "third"]


PROGRAM = """
import os, signal, threading
import numpy as np
import speedmetal as sm
from speedmetal.backends.cpu import pool as threads

@sm.kernel
def doubled(x):
    x[sm.thread_position_in_grid().x] *= 2

device = sm.device("cpu")
x = sm.array(np.ones(1_000_000, np.float32), device=device)
doubled(x, grid=1_000_000)
held, release = threading.Event(), threading.Event()

def hold():
    # All that a thread of the parent may be in the middle of.
    with device.pool.lock, threads._default_pool_lock, threads.default_pool()._lock:
        held.set()
        release.wait(60)

thread = threading.Thread(target=hold)
thread.start()
held.wait(60)
child = os.fork()
if child == 0:
    signal.alarm(30)  # a lock of the parent's would be waited for until then
    threads._default_pool = None
    y = sm.array(x.numpy(), device=device)
    doubled(y, grid=1_000_000)
    os._exit(7 if y.numpy().sum() == 4_000_000 else 8)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
release.set()
thread.join()
doubled(x, grid=1_000_000)
print(status, int(x.numpy().sum()))
"""


@needs_fork
def test_a_child_launches_on_the_cpu_while_a_thread_of_its_parent_holds_every_lock():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"SPEEDMETAL_NUM_THREADS": "2"},
    )
    assert done.stdout == "7 4000000\n", done.stderr


@needs_fork
def test_one_hook_is_known_to_the_system():
    """All that lives is told by it; another one would be told of devices twice."""
    program = """
import os
hooks = []
os.register_at_fork = lambda **hook: hooks.append(hook)
import speedmetal as sm
@sm.kernel
def doubled(x):
    x[sm.thread_position_in_grid().x] *= 2
doubled(sm.ones(8, device="cpu"), grid=8)
ours = [h["after_in_child"] for h in hooks if "after_in_child" in h]
print([f"{f.__module__}.{f.__name__}" for f in ours if f.__module__.startswith("speedmetal")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout == "['speedmetal.backends.forks._run_in_child']\n", done.stderr
