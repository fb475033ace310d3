"""Who takes part, which cases fit beside each other in memory, and how time is shared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from speedmetal.bench.frameworks.base import Device, Framework
from speedmetal.bench.record import CaseSpec, Contender, Status
from speedmetal.bench.runner.cards import Cards
from speedmetal.bench.runner.probe import Availability
from speedmetal.bench.runner.protocol import Dataset
from speedmetal.errors import UnknownNameError, UserInputError

MODES = ("eager", "compiled")
# What a call may hold beyond its inputs: its outputs, and as much again while it works; and in the
# proof, a twin of its outputs.
WORKSPACE_FACTOR = 3
SLOW_FLOPS_PER_SECOND, SLOW_BYTES_PER_SECOND = 3e9, 1e9
SHARE_BYTES, SHARE_FLOPS, MOST_SHARES = 128 << 20, 4e10, 8.0
# What the proofs of a case take of the host's memory, in multiples of its bytes: files of inputs
# and references, and of each contender what it reads back and compares.
FILES_FACTOR, CONTENDER_FACTOR = 8, 4
# Workers that prove at once: a card gives each process a slice of its time in turn, so that with
# twenty of them the many small steps of a proof take seconds each.
PROOFS_AT_ONCE = 5
CREW_CORES, CREW_BYTES, MOST_CREWS = 4, 4 << 30, 4  # of memory for each contender
MEMORY_SHARE = 0.85  # of what is available; the rest is the system's


def check_modes(frameworks: Sequence[Framework], modes: Sequence[str]) -> None:
    """Check that somebody can be run in the modes.

    Raises:
        UnknownNameError: A mode does not exist.
        UserInputError: None of the frameworks has any of them.
    """
    for mode in (stated.rpartition(":")[2] for stated in modes):
        if mode not in MODES:
            raise UnknownNameError("mode", mode, MODES)
    there = {mode for framework in frameworks for mode in framework.modes}
    if not any(modes_of(framework, modes) for framework in frameworks):
        raise UserInputError(
            f"--modes: {', '.join(f.name for f in frameworks)} cannot be run {' or '.join(modes)},"
            f" only {' or '.join(sorted(there)) or 'in no mode'}"
        )


def modes_of(framework: Framework, modes: Sequence[str]) -> Sequence[str]:
    """The modes in which a framework takes part.

    Args:
        framework: Which.
        modes: As they were asked for: of all frameworks (``"eager"``), or of one
            (``"torch:eager"``), for which those of all do not hold then. Its default ones where
            none are for it.
    """
    own = [mode for name, _, mode in (m.rpartition(":") for m in modes) if name == framework.name]
    wanted = own or [mode for mode in modes if ":" not in mode]
    return [m for m in framework.modes if m in wanted] if wanted else framework.default_modes


def choose_contenders(
    available: Sequence[Availability],
    devices: Sequence[str] = (),
    modes: Sequence[str] = (),
    cards: Cards | None = None,
) -> list[Contender]:
    """Every available framework on every wanted device in every wanted mode.

    Args:
        available: Frameworks, probed.
        devices: Names to keep (``"cpu"``, ``"cuda"``...); all where empty. A card that has such a
            name in one framework is meant in all.
        modes: Names to keep, as :func:`modes_of` has them.
        cards: Which devices are one card; by default as the frameworks tell.

    Raises:
        UnknownNameError: No framework here has a device of that name.
        UserInputError: Nobody is left.
    """
    everything = [device for one in available for device in one.devices]
    cards = cards or Cards(everything)
    present = {device.name for device in everything}
    for name in devices:
        if name not in present:
            raise UnknownNameError("device", name, present)
    wanted = {_place(cards, device) for device in everything if device.name in devices}
    contenders = [
        Contender(
            framework=one.framework.name,
            device=device.name,
            mode=mode,
            version=one.version,
            device_name=device.description,
            card=cards.of(device),
        )
        for one in available
        for device in one.devices
        if not devices or _place(cards, device) in wanted
        for mode in modes_of(one.framework, modes)
    ]
    if not contenders:
        reasons = "; ".join(
            f"{one.framework.name}: {why_absent(one, devices, modes, cards)}" for one in available
        )
        raise UserInputError(f"no framework can take part ({reasons})")
    return contenders


def _place(cards: Cards, device: Device) -> str:
    return cards.of(device) or device.name


def why_absent(
    one: Availability,
    devices: Sequence[str] = (),
    modes: Sequence[str] = (),
    cards: Cards | None = None,
) -> str:
    """Why a framework takes no part where these devices and modes are wanted; "" where it does."""
    if one.reason:
        return one.reason
    cards = cards or Cards(one.devices)
    wanted = {_place(cards, device) for device in cards.devices if device.name in devices}
    if not any(not devices or _place(cards, device) in wanted for device in one.devices):
        return f"has no device {' or '.join(devices)}".rstrip()
    if not modes_of(one.framework, modes):
        return f"has no mode {' or '.join(modes)}"
    return ""


def input_bytes(dataset: Dataset, itemsize: int) -> int:
    """Bytes of a case's inputs on a device."""
    return sum(_elements(file.shape) for file in dataset.inputs) * itemsize


def output_bytes(dataset: Dataset, itemsize: int) -> int:
    """Bytes of a case's outputs on a device; of gradients where it is a backward case."""
    if dataset.outputs:
        return sum(_elements(file.shape) for file in dataset.outputs) * itemsize
    return (
        input_bytes(dataset, itemsize)
        + sum(_elements(file.shape) for file in dataset.cotangents) * itemsize
    )


def _elements(shape: Sequence[int]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def cohorts(
    contenders: Sequence[Contender], inputs: int, outputs: int, available: int
) -> list[list[Contender]]:
    """Groups of contenders whose arrays fit in memory beside each other.

    All of a group hold their inputs; one at a time holds its outputs and workspace as well.
    GPUs with memory of their own share it among the same workers, so the rule is the same.

    Args:
        contenders: In order; the order is kept.
        inputs: Bytes of the inputs of the case.
        outputs: Bytes of its outputs.
        available: Bytes of memory that may be used now.

    Example:
        >>> ab = [Contender(framework=f, device="cpu", mode="eager") for f in "ab"]
        >>> [len(group) for group in cohorts(ab, inputs=10, outputs=10, available=1000)]
        [2]
        >>> [len(group) for group in cohorts(ab, inputs=100, outputs=10, available=280)]
        [1, 1]
    """
    transient = WORKSPACE_FACTOR * outputs + inputs  # the second seed's inputs, in the proof
    room = MEMORY_SHARE * available - transient
    size = max(1, int(room // max(inputs, 1))) if room > 0 else 1
    return [list(contenders[i : i + size]) for i in range(0, len(contenders), size)]


def crews(contenders: Sequence[Contender], cores: int, available: int) -> int:
    """How many cases are worth being prepared at once, each by workers of its own.

    One where a contender computes on processors: its proofs have them all already.

    Args:
        contenders: Of the run.
        cores: Of the machine.
        available: Bytes of memory that may be used now.

    Example:
        >>> gpu = Contender(framework="torch", device="cuda", mode="eager", card="GPU-1")
        >>> crews([gpu], cores=16, available=64 << 30), crews([gpu], cores=2, available=64 << 30)
        (4, 1)
    """
    if any(not contender.card for contender in contenders):
        return 1
    by_memory = available // (CREW_BYTES * max(1, len(contenders)))
    return max(1, min(MOST_CREWS, cores // CREW_CORES, by_memory))


def fitting(cases: Sequence[CaseSpec], contenders: int, most: int, available: int) -> int:
    """How many of the first cases can be prepared at once; one at least.

    Args:
        cases: In order.
        contenders: Who prepares each.
        most: Cases, however small they are.
        available: Bytes of memory that may be used now.
    """
    factor = FILES_FACTOR + CONTENDER_FACTOR * contenders
    room = MEMORY_SHARE * available
    count = 0
    for case in cases[:most]:
        room -= factor * case.bytes_minimum
        if count and room < 0:
            break
        count += 1
    return count


def expected_seconds(case: CaseSpec) -> float:
    """About how long a call of a slow framework takes; only good for ordering cases.

    The rates are those of one core without vector units, which some frameworks use.
    """
    return case.flops / SLOW_FLOPS_PER_SECOND + case.bytes_minimum / SLOW_BYTES_PER_SECOND


def shares_of(case: CaseSpec) -> float:
    """Shares of a budget that a case gets: one, and more where there is much to make and to prove.

    Its arrays are made, copied and compared many times before they are timed, all at about the
    same pace, so that each of so many bytes is worth another share, and so is each of so many
    operations of the reference.
    """
    work = case.bytes_minimum / SHARE_BYTES + case.flops / SHARE_FLOPS
    return 1.0 + min(work, MOST_SHARES - 1.0)


@dataclass
class TimeAccount:
    """The time of one contender in one case; when it is used up, the case ends for it."""

    limit_seconds: float
    used_seconds: float = 0.0
    option: str = "--case-timeout"  # what the limit comes from: that, or "--budget"

    @property
    def status(self) -> Status:
        """The status of a case that did not end within the limit.

        Where it was the budget's end that came too near, the case was never given its chance: a
        continued run tries it again.
        """
        return Status.TIMEOUT if self.option == "--case-timeout" else Status.SKIPPED

    @property
    def left_seconds(self) -> float:
        return max(0.0, self.limit_seconds - self.used_seconds)


@dataclass
class Budget:
    """The time of a run, shared out among its cases as they come.

    What a case leaves goes to the later ones; what it overdraws is taken from all of them.
    """

    total_seconds: float | None
    case_timeout_seconds: float
    started: float

    # Without a budget a case is sampled for at most this long; with one, at most three shares.
    UNLIMITED_CASE_SECONDS = 60.0
    # One contender of one case may use at most this share of what is left of the budget.
    CONTENDER_SHARE = 0.25
    # Kept back while cases are left: the dearest ones come last, and small overdrafts add up.
    RESERVED_SHARES = 2
    # Of the whole budget, for what the machine reaches.
    CEILING_SHARE = 0.15

    @property
    def left_seconds(self) -> float:
        if self.total_seconds is None:
            return float("inf")
        return self.total_seconds - (time.monotonic() - self.started)

    @property
    def is_spent(self) -> bool:
        return self.left_seconds <= 0

    @property
    def ceiling_seconds(self) -> float:
        """What the ceilings may take."""
        if self.total_seconds is None:
            return float("inf")
        return self.CEILING_SHARE * self.total_seconds

    def case_seconds(self, shares: float, shares_left: float) -> float:
        """What a case of so many shares may take, preparation included.

        Args:
            shares: Its own, as :func:`shares_of` has them.
            shares_left: Of all cases that are left, this one included.
        """
        left = max(shares_left, shares) + self.RESERVED_SHARES
        return min(self.UNLIMITED_CASE_SECONDS, shares * self.left_seconds / left)

    def end_of_part(self, parts: int) -> float:
        """When the first of several equal parts of what is left ends, by the monotonic clock.

        Infinite for the last part, which may take what there is.
        """
        return time.monotonic() + self.left_seconds / parts if parts > 1 else inf

    def account(self, least_seconds: float = 1.0) -> TimeAccount:
        """The time of one contender in one case.

        Args:
            least_seconds: However little is left.
        """
        share = max(least_seconds, self.CONTENDER_SHARE * self.left_seconds)
        if share < self.case_timeout_seconds:
            return TimeAccount(share, option="--budget")
        return TimeAccount(self.case_timeout_seconds)
