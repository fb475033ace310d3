"""What went wrong on a GPU: from a command buffer's ``NSError`` to our errors, with advice.

A command buffer fails as a whole: Metal says what happened, not in which of its kernels. So the
message names them all, and how to find the guilty one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speedmetal.errors import DeviceError, KernelError, SimulationError, SpeedmetalError

_NAMES_SHOWN = 8

SIMULATED_FAULT = "SimulatedFault"
"""Where the simulator's errors have the kind of a fault that it found in a kernel."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a command buffer fails.

    Args:
        constant: Its name in Apple's ``MTLCommandBuffer.h``; empty where it has none.
        code: Of the ``NSError``.
        marks: Words of the driver's own text; they decide, since the codes of some faults are those
            of others (the watchdog's is seen as 1 and as 14).
        meaning: For people.
        advice: What to do.
        is_of_kernel: Whether a kernel is to blame, rather than the machine.
    """

    constant: str
    code: int
    marks: tuple[str, ...]
    meaning: str
    advice: str
    is_of_kernel: bool


_FIND = (
    "to find the kernel, launch with debug=1, which checks indices, or call sm.synchronize() after"
    " each launch"
)
_SHORTER = "let each launch do less: a smaller grid, or fewer rounds of its loops"

FAULTS = (
    Fault(
        "",
        14,
        ("ImpactingInteractivity", "Impacting Interactivity"),
        "macOS stopped it because it kept the GPU from drawing the screen",
        _SHORTER,
        is_of_kernel=True,
    ),
    Fault(
        "",
        3,
        ("ErrorHang", "GPU Hang"),
        "the GPU hung: a loop that does not end, or threads that wait for each other",
        f"look for such loops, and for barriers that some threads never reach; {_FIND}",
        is_of_kernel=True,
    ),
    Fault(
        "",
        5,
        ("InnocentVictim",),
        "it was stopped because other work on the GPU failed",
        "run it again",
        is_of_kernel=False,
    ),
    Fault(
        "",
        4,
        ("SubmissionsIgnored",),
        "macOS ignores this process's work after too many failures",
        "mend the kernels that failed before, and start the program again",
        is_of_kernel=False,
    ),
    Fault(
        "MTLCommandBufferErrorTimeout",
        2,
        ("ErrorTimeout",),
        "it ran for too long, and macOS stopped it",
        f"{_SHORTER}; if it should not have run for long, look for a loop that does not end",
        is_of_kernel=True,
    ),
    Fault(
        "MTLCommandBufferErrorPageFault",
        3,
        ("PageFault", "Address Fault"),
        "a kernel touched memory that is not its own",
        _FIND,
        is_of_kernel=True,
    ),
    Fault(
        "MTLCommandBufferErrorOutOfMemory",
        8,
        ("OutOfMemory", "Insufficient Memory"),
        "the GPU had not enough memory",
        "delete arrays, use smaller ones, or close other programs that use the GPU",
        is_of_kernel=False,
    ),
    Fault(
        "MTLCommandBufferErrorInvalidResource",
        9,
        ("InvalidResource",),
        "it used a buffer that is gone",
        _FIND,
        is_of_kernel=True,
    ),
    Fault(
        "MTLCommandBufferErrorStackOverflow",
        12,
        ("StackOverflow",),
        "a kernel's calls went too deep",
        "use fewer nested functions and smaller thread arrays",
        is_of_kernel=True,
    ),
    Fault(
        "MTLCommandBufferErrorDeviceRemoved",
        11,
        ("DeviceRemoved",),
        "the GPU is gone: it was unplugged, or its driver was restarted",
        "start the program again; results that were on the GPU are lost",
        is_of_kernel=False,
    ),
    Fault(
        "MTLCommandBufferErrorAccessRevoked",
        4,
        ("AccessRevoked",),
        "macOS took the GPU away from this process after a failure",
        "mend the kernels that failed before, and start the program again",
        is_of_kernel=False,
    ),
    Fault(
        "MTLCommandBufferErrorNotPermitted",
        7,
        ("NotPermitted",),
        "this process may not use the GPU",
        "run it in a user's session, in the foreground",
        is_of_kernel=False,
    ),
    Fault(
        "MTLCommandBufferErrorInternal",
        1,
        (),
        "Metal's driver failed",
        f"run it again; if it stays, {_FIND}",
        is_of_kernel=False,
    ),
)
"""Every fault, those without a public code first."""

_UNKNOWN = Fault("", 0, (), "Metal gives no known reason", _FIND, is_of_kernel=False)


def command_error(
    device: str, error: Any, labels: Sequence[str], *, is_simulated: bool
) -> SpeedmetalError:
    """What to raise for a command buffer that failed.

    Args:
        device: Its name.
        error: The ``NSError``, or None where Metal gave none.
        labels: Of the kernels in the command buffer, in order.
        is_simulated: Whether it is the simulator's, which knows what happened.
    """
    if error is None:
        return _compose_error(device, _UNKNOWN, "", labels)
    domain, code = str(error.domain()), int(error.code())
    text = str(error.localizedDescription())
    if is_simulated and (kind := error.userInfo().get(SIMULATED_FAULT)) is not None:
        return SimulationError(kind, f"{text}\n{_kernels(device, labels)}")
    fault = _fault(code, text)
    return _compose_error(device, fault, f" ({domain} {code}: {text})", labels)


def _fault(code: int, text: str) -> Fault:
    for fault in FAULTS:
        if any(mark in text for mark in fault.marks):
            return fault
    for fault in FAULTS:
        if fault.constant and fault.code == code:
            return fault
    return next((fault for fault in FAULTS if fault.code == code and code == 14), _UNKNOWN)


def _compose_error(
    device: str, fault: Fault, detail: str, labels: Sequence[str]
) -> SpeedmetalError:
    kind = KernelError if fault.is_of_kernel else DeviceError
    return kind(f"{fault.meaning}{detail}; {fault.advice}\n{_kernels(device, labels)}")


def _kernels(device: str, labels: Sequence[str]) -> str:
    """The part of a message that names the kernels, some or all, that may have failed."""
    if not labels:
        return f"on {device}, in a copy"
    names = list(dict.fromkeys(labels))
    shown = ", ".join(repr(name) for name in names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    if len(labels) == 1:
        return f"on {device}, in the launch of kernel {shown}"
    return (
        f"on {device}, in one of {len(labels)} launches that ran together, of"
        f" {'kernel' if len(names) == 1 else 'kernels'} {shown}{more}; the results of all of them"
        " are undefined"
    )


def describe_error(error: Any) -> str:
    """What an ``NSError`` says."""
    return "Metal gave no reason" if error is None else str(error.localizedDescription())
