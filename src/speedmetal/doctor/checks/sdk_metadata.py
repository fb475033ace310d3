"""Whether Metal and PyObjC on this machine are what speedmetal was written against.

Held against the table of Apple's SDK that the simulator is made of: each class, protocol, selector,
function and constant is looked up in the real thing, in the way in which speedmetal does it. So is
who owns what ``new...`` gives.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import speedmetal as sm
from speedmetal.backends.metal.driver.bridge import OWNED, Bridge
from speedmetal.doctor.results import Finding
from speedmetal.doctor.worker import Task
from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.facts import Owner, Selector, Structure

if TYPE_CHECKING:
    from speedmetal.backends.metal.driver.device import MetalDevice

TABLE_PYOBJC = (12, 2)
"""The version of PyObjC that the table's constants are from; older ones may lack some."""

OUT_MODIFIERS = (b"o", b"N")
"""Begin the type of an argument that comes back in the result, and of one that also goes in."""

BUFFER_BYTES = 1 << 20
BUFFERS = 64
"""Made and forgotten, to see that they are freed."""

SOURCE = """\
#include <metal_stdlib>
using namespace metal;
kernel void doctor(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) { a[i] = i; }
"""


@dataclass
class Outcome:
    """What the lookups gave.

    Args:
        held: How many rows hold, by kind.
        wrong: Those that do not.
        newer: Rows of systems that are newer than this one.
        unseen: What could not be looked at, with the reason.
    """

    held: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def note(self, kind: str, problem: str | None) -> None:
        """A row of a kind holds, or what is wrong with it."""
        if problem is None:
            self.held[kind] += 1
        else:
            self.wrong.append(problem)


def examine(task: Task) -> Finding:
    """Look everything up; rows of newer systems are left out, and counted."""
    device: MetalDevice = sm.device(task.subject)  # type: ignore[assignment]
    bridge = device.bridge
    outcome = Outcome()
    with bridge.objc.autorelease_pool():
        objects = _objects(device.native, bridge, outcome)
        for number, owner in enumerate(sdk.OWNERS.values()):
            task.progress(number, len(sdk.OWNERS))
            _look_at_owner(owner, bridge, objects, outcome)
        _look_at_names(bridge, outcome)
        _look_at_refusal(device.native, outcome)
    outcome.note("ownership", _kept_memory(device.native, bridge))
    facts = {
        "held": dict(outcome.held),
        "newer than this system": outcome.newer,
        "not looked at": outcome.unseen,
        "PyObjC": str(getattr(bridge.objc, "__version__", "unknown")),
    }
    note = ", ".join(f"{count} {kind}" for kind, count in outcome.held.items())
    return Finding(facts, tuple(outcome.wrong), note=note)


# --- Objects -------------------------------------------------------------------------------------

Objects = dict[str, Any]


def _library(made: Objects, bridge: Bridge) -> Any:
    options = bridge.Metal.MTLCompileOptions.alloc().init()
    library, error = made["MTLDevice"].newLibraryWithSource_options_error_(SOURCE, options, None)
    if library is None:
        raise RuntimeError(str(error.localizedDescription()))
    return library


def _pipeline(made: Objects, _: Bridge) -> Any:
    function = made["MTLFunction"]
    return made["MTLDevice"].newComputePipelineStateWithFunction_error_(function, None)[0]


def _heap(made: Objects, bridge: Bridge) -> Any:
    descriptor = bridge.Metal.MTLHeapDescriptor.alloc().init()
    descriptor.setSize_(BUFFER_BYTES)
    return made["MTLDevice"].newHeapWithDescriptor_(descriptor)


def _samples(made: Objects, bridge: Bridge) -> Any:
    descriptor = bridge.Metal.MTLCounterSampleBufferDescriptor.alloc().init()
    descriptor.setCounterSet_(made["MTLCounterSet"])
    descriptor.setSampleCount_(2)
    descriptor.setStorageMode_(bridge.Metal.MTLStorageModeShared)
    return made["MTLDevice"].newCounterSampleBufferWithDescriptor_error_(descriptor, None)[0]


def _capture_scope(made: Objects, bridge: Bridge) -> Any:
    manager = bridge.Metal.MTLCaptureManager.sharedCaptureManager()
    return manager.newCaptureScopeWithDevice_(made["MTLDevice"])


def _from_descriptor(descriptor: str, selector: str) -> Callable[[Objects, Bridge], Any]:
    def make(made: Objects, bridge: Bridge) -> Any:
        described = getattr(bridge.Metal, descriptor).alloc().init()
        return getattr(made["MTLDevice"], selector)(described, None)[0]

    return make


MAKERS: Mapping[str, Callable[[Objects, Bridge], Any]] = {
    "NSObject": lambda made, _: made["MTLDevice"],
    "MTLCommandQueue": lambda made, _: made["MTLDevice"].newCommandQueue(),
    "MTLCommandBuffer": lambda made, _: made["MTLCommandQueue"].commandBuffer(),
    "MTLBuffer": lambda made, _: made["MTLDevice"].newBufferWithLength_options_(BUFFER_BYTES, 0),
    "MTLResource": lambda made, _: made["MTLBuffer"],
    "MTLAllocation": lambda made, _: made["MTLBuffer"],
    "MTLLibrary": _library,
    "MTLFunction": lambda made, _: made["MTLLibrary"].newFunctionWithName_("doctor"),
    "MTLComputePipelineState": _pipeline,
    "MTLHeap": _heap,
    "MTLFence": lambda made, _: made["MTLDevice"].newFence(),
    "MTLEvent": lambda made, _: made["MTLDevice"].newEvent(),
    "MTLSharedEvent": lambda made, _: made["MTLDevice"].newSharedEvent(),
    "MTLCounterSet": lambda made, _: made["MTLDevice"].counterSets()[0],
    "MTLCounter": lambda made, _: made["MTLCounterSet"].counters()[0],
    "MTLCounterSampleBuffer": _samples,
    "MTLCaptureScope": _capture_scope,
    "MTLBinaryArchive": _from_descriptor(
        "MTLBinaryArchiveDescriptor", "newBinaryArchiveWithDescriptor_error_"
    ),
    "MTLLogState": _from_descriptor("MTLLogStateDescriptor", "newLogStateWithDescriptor_error_"),
    "MTLResidencySet": _from_descriptor(
        "MTLResidencySetDescriptor", "newResidencySetWithDescriptor_error_"
    ),
}
"""How to get an object of a protocol. Those of encoders are made and ended at once: an encoder that
was never ended aborts the process."""

ENCODERS = {
    "MTLComputeCommandEncoder": "computeCommandEncoder",
    "MTLBlitCommandEncoder": "blitCommandEncoder",
    "MTLCommandEncoder": "computeCommandEncoder",
}


def _objects(native: Any, bridge: Bridge, outcome: Outcome) -> Objects:
    """An object of each protocol that this system has, where one can be made."""
    made: Objects = {"MTLDevice": native}
    for name, make in MAKERS.items():
        if sdk.OWNERS[name].introduced > bridge.system_version:
            continue
        try:
            found = make(made, bridge)
        except Exception as error:  # noqa: BLE001 - the other rows are to be looked at
            outcome.unseen.append(f"objects of {name}: {error!r}")
            continue
        if found is None:
            outcome.unseen.append(f"objects of {name}: the device gives none")
        else:
            made[name] = found
    for name, selector in ENCODERS.items():
        if "MTLCommandBuffer" in made:
            made[name] = getattr(made["MTLCommandBuffer"], selector)()
            made[name].endEncoding()
    return made


# --- Lookups -------------------------------------------------------------------------------------


def _look_at_owner(owner: Owner, bridge: Bridge, objects: Objects, outcome: Outcome) -> None:
    if owner.introduced > bridge.system_version:
        outcome.newer.append(owner.name)
        return
    if owner.is_class:
        of_objects = getattr(getattr(bridge, sdk.MODULES[owner.name]), owner.name, None)
        outcome.note("classes", None if of_objects is not None else f"no class {owner.name}")
    else:
        of_objects = objects.get(owner.name)
        outcome.held["protocols"] += of_objects is not None
    if of_objects is None:
        if not any(owner.name in text for text in outcome.unseen):
            outcome.unseen.append(f"{owner.name}: there is no object of it")
        return
    for selector in owner.selectors:
        if selector.introduced > bridge.system_version:
            outcome.newer.append(f"{owner.name}.{selector.name}")
        else:
            outcome.note("selectors", _selector_problem(owner, selector, of_objects))


def _selector_problem(owner: Owner, selector: Selector, subject: Any) -> str | None:
    """What is wrong with a selector of an object or a class; None: it is as the table says."""
    name = f"{owner.name}.{selector.name}"
    method = getattr(subject, selector.name, None)
    if method is None:
        answers = "cannot be asked"
        with suppress(Exception):
            asked = (
                subject.instancesRespondToSelector_
                if owner.is_class
                else (subject.respondsToSelector_)
            )
            answers = str(bool(asked(selector.objective_c.encode())))
        return f"{name}: PyObjC has no such method (respondsToSelector: {answers})"
    told = getattr(method, "__metadata__", None)
    if told is None:  # of the simulator
        return None
    arguments = told()["arguments"][2:]  # after the object and the selector
    if len(arguments) != len(selector.arguments):
        return f"{name}: {len(arguments)} arguments, expected {len(selector.arguments)}"
    for number, (argument, expected) in enumerate(zip(arguments, selector.arguments, strict=True)):
        if expected.out and argument["type"][:1] not in OUT_MODIFIERS:
            return f"{name}: argument {number} does not come back; its metadata is {argument!r}"
    if selector.objective_c in OWNED and not told()["retval"].get("already_retained"):
        return f"{name}: its result is not registered as owned by the caller"
    return None


def _look_at_names(bridge: Bridge, outcome: Outcome) -> None:
    """Constants with their values, strings, structures and functions."""
    lacks = outcome.wrong if _pyobjc_version() >= TABLE_PYOBJC else outcome.unseen
    for name, value in sdk.ENUMERATIONS.items():
        found = _find_symbol(bridge, name)
        if found is None:
            lacks.append(f"PyObjC has no constant {name}")
        else:
            problem = f"constant {name} is {int(found)}, expected {value}"
            outcome.note("constants", None if int(found) == value else problem)
    for text in sdk.STRINGS.values():
        if text.introduced <= bridge.system_version:
            is_there = isinstance(_find_symbol(bridge, text.name), str)
            outcome.note("strings", None if is_there else f"no string {text.name}")
    for structure in sdk.STRUCTURES.values():
        outcome.note("structures", next(_structure_problems(bridge, structure), None))
    for name in sdk.FUNCTIONS:
        is_there = callable(_find_symbol(bridge, name))
        outcome.note("functions", None if is_there else f"no function {name}")


def _find_symbol(bridge: Bridge, name: str) -> Any:
    return getattr(bridge.Metal, name, getattr(bridge.Foundation, name, None))


def _structure_problems(bridge: Bridge, structure: Structure) -> Iterator[str]:
    kind = _find_symbol(bridge, structure.name)
    if kind is None:
        yield f"no structure {structure.name}"
        return
    values = range(1, len(structure.fields) + 1)
    made = kind(*values)
    found = [getattr(made, name, None) for name, _ in structure.fields]
    if found != list(values):
        yield f"structure {structure.name}: its fields {structure.fields} are {found}"


def _pyobjc_version() -> tuple[int, ...]:
    try:
        text = importlib.metadata.version("pyobjc-framework-Metal")
    except importlib.metadata.PackageNotFoundError:
        return TABLE_PYOBJC  # the simulator, which has the table itself
    return tuple(int(part) for part in text.split(".")[:2])


# --- Behaviour -----------------------------------------------------------------------------------


def _look_at_refusal(native: Any, outcome: Outcome) -> None:
    """A wrong source gives no library, and an error that says why."""
    library, error = native.newLibraryWithSource_options_error_("kernel void f(", None, None)
    said = "" if error is None else str(error.localizedDescription())
    problem = f"a wrong source gave {library!r} and the error {said!r}"
    outcome.note("refusals", None if library is None and said else problem)


def _kept_memory(native: Any, bridge: Bridge) -> str | None:
    """Whether buffers that nobody holds are freed: None, or how many bytes stay."""
    before = int(native.currentAllocatedSize())
    for _ in range(BUFFERS):
        with bridge.objc.autorelease_pool():
            native.newBufferWithLength_options_(BUFFER_BYTES, 0)
    kept = int(native.currentAllocatedSize()) - before
    if kept < BUFFERS * BUFFER_BYTES // 2:
        return None
    return (
        f"{kept} bytes stay allocated after {BUFFERS} buffers of {BUFFER_BYTES} bytes were made and"
        " forgotten: PyObjC keeps what newBufferWithLength_options_ gives"
    )
