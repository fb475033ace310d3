"""Every test here runs on a device of each kind that the machine has, and in the Metal simulator.

``--device NAME`` runs them on that device alone, or skips them with the reason why it is not there.
``--guards`` looks for kernels that write beyond their arrays (:mod:`guarded_memory`).

In the simulator a test whose kernels use threadgroup memory, barriers or simdgroups runs four
times: with threads in their order, in reverse, and in a random one, then built to look for races.
By default each process does the last, which compiles every kernel once more, for one of the types
that a test has: barriers do not depend on them. `nightly`, or naming the test, does it for all.
No barrier may be missed by a thread, and threads of a simdgroup may not part at a collective, but
in tests that are marked `divergent`, which do so on purpose.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import pytest
from guarded_memory import guarded

import speedmetal as sm
from speedmetal.arrays import replaying
from speedmetal.arrays.memory.kept import Kept
from speedmetal.metal_simulator.language import building
from speedmetal.metal_simulator.settings import simulator_settings
from tiers import dtype_of, parameters_of, runs_all_combinations

SIMULATOR = "metal-sim"
# What Metal GPUs cannot do; tests of it are skipped there, with what the compiler says.
METAL_LACKS = re.compile(
    r"(float64|complex128|atomic \w+ of u?int64|\w+ of float64) is not available on Metal GPUs"
    r"|simdgroup matrices of float64 are not available on Metal GPUs"
)
ORDERS: tuple[dict[str, Any], ...] = ({"order": "reverse"}, {"order": "random", "seed": 1})
RACES: dict[str, Any] = {"check_races": True}
searched_for_races: set[Hashable] = set()  # tests with their parameters, but for types


def _devices() -> tuple[str, ...]:
    of_kinds = {device.kind: device.name for device in reversed(sm.devices())}
    names = [*reversed(of_kinds.values())]
    with contextlib.suppress(sm.DeviceError):  # test_the_simulator_is_here says why
        names.append(sm.device(SIMULATOR).name)
    return tuple(names)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("speedmetal")
    group.addoption("--guards", action="store_true", help="put guard bytes around every array")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        # Where the folder was not named to pytest, it has not asked for the options.
        asked = metafunc.config.getoption("--device")
        metafunc.parametrize("device", [asked] if asked else _devices(), indirect=True)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "divergent: threads part at a barrier or a collective on purpose"
    )


@pytest.fixture(autouse=True, scope="module")
def overflow_is_seen() -> Iterator[None]:
    """A signed number that overflows ends the kernel, where the simulator lets it wrap.

    In Metal's and CUDA's languages such a result is undefined, so no printed text has one. What
    people wrote may: so this ends with each module, before other tests of the process begin.
    """
    plain = building._SIMULATED
    traps = [f"-fsanitize{how}=signed-integer-overflow" for how in ("", "-trap")]
    building._SIMULATED = (*(flag for flag in plain if flag != "-fwrapv"), *traps)
    assert len(building._SIMULATED) == len(plain) + 1
    yield
    building._SIMULATED = plain


@pytest.fixture(autouse=True)
def no_call_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests set limits by which functions take other ways: none replays another one's call."""
    for kept in ("_known", "_met"):
        monkeypatch.setattr(replaying, kept, Kept(4096))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A device of this machine."""
    try:
        found = sm.device(request.param)
    except sm.DeviceError as error:
        pytest.skip(str(error))
    is_guarded = request.config.getoption("--guards", default=False)
    with guarded(found) if is_guarded else contextlib.nullcontext():
        yield found


@pytest.fixture
def launch(device: Any) -> Callable[..., None]:
    """Launches a kernel on the device; NumPy arrays among the arguments are read and written.

    The CPU works on them in place. Elsewhere their content goes to the device and comes back.
    """

    def run(kernel: sm.Kernel, *arguments: Any, **options: Any) -> None:
        if device.kind == "cpu":
            kernel(*arguments, device=device, **options)
            return
        given = [_move_argument(a, device) for a in arguments]
        try:
            kernel(*given, device=device, **options)
            sm.synchronize()
        except sm.CompileError as error:
            _skip_where_metal_lacks(error)
            raise
        finally:  # a kernel's failure is raised by the call, or later: what it wrote is there
            for original, moved in zip(arguments, given, strict=True):
                _move_back(original, moved)

    return run


def _move_argument(argument: Any, device: Any) -> Any:
    if isinstance(argument, np.ndarray):
        return sm.array(argument, device=device)
    if isinstance(argument, tuple):
        moved = (_move_argument(item, device) for item in argument)
        return type(argument)(*moved) if hasattr(argument, "_fields") else tuple(moved)
    return argument


def _move_back(original: Any, moved: Any) -> None:
    if isinstance(original, np.ndarray) and original.flags.writeable:
        original[...] = moved.numpy()
    elif isinstance(original, tuple):
        for inner, inner_moved in zip(original, moved, strict=True):
            _move_back(inner, inner_moved)


def _skip_where_metal_lacks(error: sm.CompileError) -> None:
    messages = [diagnostic.message for diagnostic in error.diagnostics]
    if all(map(METAL_LACKS.match, messages)):
        pytest.skip(messages[0])


class Observer:
    """What the simulator ran in a test."""

    def __init__(self) -> None:
        self.depends_on_order = False
        self.missed = self.parted = 0

    def __call__(self, dispatch: Any, execution: Any) -> None:
        self.depends_on_order |= dispatch.uses_fibers or execution.threadgroup_bytes > 0
        self.missed += execution.divergent_barriers
        self.parted += execution.mixed_collectives + execution.partial_collectives


def _reruns(item: pytest.Function) -> tuple[dict[str, Any], ...]:
    """How the simulator runs the test again."""
    parameters = parameters_of(item).items()
    others = ((name, id(value)) for name, value in parameters if dtype_of(value) is None)
    case = (item.nodeid.partition("[")[0], *others)
    is_first = case not in searched_for_races
    searched_for_races.add(case)
    return (*ORDERS, RACES) if is_first or runs_all_combinations(item.config) else ORDERS


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    device = pyfuncitem.funcargs.get("device")
    if getattr(device, "name", "") != SIMULATOR:
        return (yield)
    observer = Observer()
    is_divergent = pyfuncitem.get_closest_marker("divergent") is not None
    with simulator_settings(observer=observer, strict=not is_divergent):
        result = yield
        if observer.depends_on_order:
            names = pyfuncitem._fixtureinfo.argnames
            arguments = {name: pyfuncitem.funcargs[name] for name in names}
            for changes in _reruns(pyfuncitem):
                with simulator_settings(**changes):
                    pyfuncitem.obj(**arguments)
    if not is_divergent:
        assert not observer.missed, "a barrier was not reached by all threads"
        assert not observer.parted, "threads of a simdgroup parted at a collective"
    return result
