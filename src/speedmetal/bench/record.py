"""The schema of everything that a run writes down: one JSON object a line.

Records are frozen data. They hold raw samples; every derived figure (median, interval, ratio,
share of ceiling) is computed from them by :mod:`speedmetal.bench.compare`, so a figure can always
be recomputed and never contradicts its samples.

Schema history:
    1: first version.
    2: samples carry their CPU time, page faults, context switches, the load and the clock of the
       processor; the A/A control comes from a second process; the memory policy is recorded.
       "unconverged" is no status any more: such records are read as "ok".
    3: a card that frameworks call by several names is one (``Contender.card``); beside latency the
       time of calls in flight and the card's own time by its events; the card's cache (L2), clocks,
       temperature, power, throttling and energy. ``device_nanoseconds`` spanned the waits of the
       host before, and is not taken for the card's time (its ``device_calls`` is 0).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

SCHEMA_VERSION = 3


class Status(StrEnum):
    """How one case ended on one contender."""

    OK = "ok"  # proved and timed; how well the time is known is a figure of its own
    WRONG = "wrong"  # the proof failed; no time is given
    IMPLAUSIBLE = "implausible"  # faster than the machine can be, or timed by a bad clock
    UNFAIR = "unfair"  # right, but it took from the others, or remembered its results
    UNSUPPORTED = "unsupported"  # the framework cannot do it, for the stated reason
    OUT_OF_MEMORY = "oom"
    TIMEOUT = "timeout"
    CRASH = "crash"
    SKIPPED = "skipped"  # not attempted, for the stated reason (budget, earlier failures)

    @property
    def has_time(self) -> bool:
        """Whether a record of this status carries a time that may be reported."""
        return self is Status.OK

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        return cls.OK if value == "unconverged" else None  # schema 1


class CaseSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is computed: an operation with its parameters, in one dtype and direction.

    ``arguments`` is the human label of the parameters, in the published benchmark's spelling where
    the case is one of its experiments (``"dim=64x128x1024 axi=0"``).
    """

    operation: str
    title: str
    family: str
    arguments: str
    parameters: dict[str, Any]
    dtype: str = "float32"
    precision: str = "ieee"  # "ieee" | "tf32"
    direction: str = "forward"  # "forward" | "backward"
    published: bool = False
    bytes_minimum: int = 0  # each input read once, each output written once
    flops: int = 0

    @property
    def key(self) -> str:
        """Identity of the work, the same on every machine and in every run (12 hex digits)."""
        identity = [
            self.operation,
            sorted(self.parameters.items()),
            self.dtype,
            self.precision,
            self.direction,
        ]
        return hashlib.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()[:12]

    @property
    def label(self) -> str:
        """Operation, arguments and whatever is not the default, for people to read."""
        extras = [self.dtype] if self.dtype != "float32" else []
        extras += [self.precision] if self.precision != "ieee" else []
        extras += [self.direction] if self.direction != "forward" else []
        return " ".join([self.title, "/", self.arguments, *extras])


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """Who computes: a framework on a device in a mode."""

    framework: str
    device: str  # "cpu", "mps", "cuda", "gpu"
    mode: str  # "eager" | "compiled"
    version: str = ""
    device_name: str = ""
    # What the device is, the same for all frameworks: "GPU-<uuid>", "PCI 0000:01:00.0", or a name;
    # "" for processors, and in schemas 1 and 2.
    card: str = ""

    @property
    def key(self) -> str:
        """Identity within a run: ``framework:device:mode``."""
        return f"{self.framework}:{self.device}:{self.mode}"

    @property
    def place(self) -> str:
        """What it shares with all that compute on the same device."""
        return self.card or self.device


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The proof that the work was done, made before any timing.

    Errors are over all elements of all outputs against the float64 reference, dimensionless but
    for the first: ``max_relative`` is max(|out - ref| / max(|ref|, scale)) and ``rms_relative`` is
    rms(out - ref) / scale, with scale = max(rms(ref), the operation's own scale). For gradients
    they are the errors of directional derivatives, relative to the gradient's norm.
    """

    max_absolute: float | None
    max_relative: float | None
    rms_relative: float | None
    tolerance_max: float
    tolerance_rms: float
    elements: int
    outputs: int
    nan_matches: bool
    second_seed: str  # "reference": compared with its own reference; "changed": differs from seed 1
    passed: bool
    failure: str = ""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Raw samples. A sample is ``calls_per_sample`` calls between two readings of the clock.

    Evaluation model of one turn::

        if wake: force(call())                       # untimed, on other inputs
        start = clock()
        latency:     repeat k times: force(call())
        throughput:  results = [start(call()) for k]; force(results)
        samples.append(clock() - start)

    On devices with clocks of their own there are two more measures of each turn: ``queued_calls``
    calls in flight, as in throughput mode; and ``device_calls`` calls between two events in the
    device's queue, behind work long enough for the host to be ahead::

        start = clock(); results = [start(call()) for queued_calls]; force(results)
        queued_nanoseconds.append(clock() - start)
        overwrite a buffer of 4 x L2, as often as needed; warm: start(call())
        event; device_calls times: start(call()); event
        device_nanoseconds.append(event - event)

    With ``l2 = "cold"`` a buffer of 2 x L2 is overwritten before each call, of latency too, and no
    calls are in flight.

    ``control_nanoseconds`` holds the A/A control: a second process of the same contender, sampled
    in the same rounds under another label (empty for all contenders but one of a session; in
    schema 1 the same process). What was read beside each sample has a list of its own, in the order
    of the samples; it is empty where the system does not tell.
    """

    mode: str  # "latency" | "throughput"
    cache: str  # "warm" | "cold"
    memory: str = "default"  # "default": as the framework ships it | "kept": freed memory is kept
    calls_per_sample: int
    samples_nanoseconds: list[int]  # wall time of whole samples
    rounds: list[int]  # the round of each sample
    positions: list[int]  # the place of each sample within its round
    first_call_nanoseconds: int  # compile, JIT and warm-up included
    input_sets: int = 1  # warm: a sample takes one of them; cold: its calls rotate over all
    l2: str = ""  # "warm" | "cold": the cache of the card; "" where none is known
    device_nanoseconds: list[int] = msgspec.field(default_factory=list)
    device_calls: int = 0  # of each of them; 0: they have no meaning (schemas 1 and 2)
    queued_nanoseconds: list[int] = msgspec.field(default_factory=list)
    queued_calls: int = 0
    device_frequency_mhz: list[int] = msgspec.field(default_factory=list)  # after each sample
    cpu_nanoseconds: list[int] = msgspec.field(default_factory=list)  # of all threads
    page_faults: list[int] = msgspec.field(default_factory=list)
    context_switches: list[int] = msgspec.field(default_factory=list)  # that it did not ask for
    load: list[float] = msgspec.field(default_factory=list)  # other processes that wanted to run
    frequency_mhz: list[float] = msgspec.field(default_factory=list)
    control_nanoseconds: list[int] = msgspec.field(default_factory=list)
    control_rounds: list[int] = msgspec.field(default_factory=list)
    control_device_nanoseconds: list[int] = msgspec.field(default_factory=list)
    control_queued_nanoseconds: list[int] = msgspec.field(default_factory=list)
    converged: bool = False
    wake_call: bool = True


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Memory in bytes; None where it cannot be read."""

    host_resident: int | None = None  # of the worker, after the case's last sample
    host_peak: int | None = None  # highest of the worker since it started
    # Highest of the framework's allocator from the case's start to its first sample.
    device_peak: int | None = None


class CardState(msgspec.Struct, frozen=True, kw_only=True):
    """A card at one moment, by its driver's management library; None where it is not told."""

    frequency_mhz: int | None = None  # of the multiprocessors
    memory_frequency_mhz: int | None = None
    temperature_celsius: int | None = None
    power_watts: float | None = None
    limits: list[str] = msgspec.field(default_factory=list)  # what holds its clocks down


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """What calls in a row took of the card's energy, by its own counter, idle power included."""

    joules: float
    calls: int
    seconds: float


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """The machine around one case; None where it cannot be read."""

    load_before: float | None = None  # 1-minute load average
    load_after: float | None = None
    frequency_before_mhz: float | None = None
    frequency_after_mhz: float | None = None
    temperature_before_celsius: float | None = None
    temperature_after_celsius: float | None = None
    # Fixed work of the coordinator, by its kind: how fast the machine itself was.
    yardstick_nanoseconds: dict[str, int] = msgspec.field(default_factory=dict)
    card_before: CardState | None = None
    card_after: CardState | None = None


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True, tag="case"):
    """One case on one contender in one session.

    ``group`` names the contenders that were sampled in common rounds: only records of one group
    are compared by paired ratios.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    session: int
    time_utc: str
    case: CaseSpec
    contender: Contender
    environment: str  # key of an EnvironmentRecord
    group: str
    number: int = 0  # the case's place in its suite, by which reports are ordered
    status: Status
    reason: str = ""
    check: Check | None = None
    timing: Timing | None = None
    memory: Memory | None = None
    conditions: Conditions | None = None
    energy: Energy | None = None
    # What held the card's clocks down in the contender's turns, and in which share of their time.
    throttling: dict[str, float] = msgspec.field(default_factory=dict)
    notes: list[str] = msgspec.field(default_factory=list)

    @property
    def throttled(self) -> str:
        """Why its clocks were held down, in words; "" where they were not, or hardly ever.

        Example:
            >>> describe_throttling({"power cap": 0.25, "thermal slowdown": 0.001})
            'power cap in 25 % of its time'
        """
        return describe_throttling(self.throttling)


THROTTLED_SHARE = 0.01  # of the time; less does not move a median


def describe_throttling(throttling: Mapping[str, float]) -> str:
    """Shares of time by reason in words; see :attr:`CaseRecord.throttled`."""
    return ", ".join(
        f"{reason} in {share:.0%} of its time".replace("%", " %")
        for reason, share in sorted(throttling.items())
        if share >= THROTTLED_SHARE
    )


class CopyPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Bandwidth at one working set: bytes read plus bytes written, over time."""

    working_set_bytes: int
    bytes_per_second: float


class CeilingRecord(msgspec.Struct, frozen=True, kw_only=True, tag="ceilings"):
    """What one device reaches, measured in this session by every contender on it.

    ``device`` has the names by which frameworks call it, ``card`` what it is.

    ``copy`` and ``read`` are the best of all contenders at each working set size;
    ``flops_per_second`` is the best matrix product per ``"dtype/precision"``;
    ``call_floor_seconds`` is, per contender key, the time of one forced call on one element.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    session: int
    time_utc: str
    environment: str
    device: str  # "cpu", "cuda"; "cuda, gpu" where frameworks differ
    card: str = ""
    copy: list[CopyPoint]
    read: list[CopyPoint]
    flops_per_second: dict[str, float]
    call_floor_seconds: dict[str, float]

    @property
    def place(self) -> str:
        """What contenders on the device have as theirs."""
        return self.card or self.device


class EnvironmentRecord(msgspec.Struct, frozen=True, kw_only=True, tag="environment"):
    """The machine and the software. Nothing that changes between two looks is in the key."""

    schema_version: int = SCHEMA_VERSION
    system: str  # "Linux 6.1.0 x86_64"
    chip: str
    cores: int
    core_split: str  # "8P+4E" where it is known, else ""
    memory_bytes: int
    last_level_cache_bytes: int
    python: str
    threads: int
    governor: str  # CPU frequency governor or power source, "" where it cannot be read
    packages: dict[str, str]
    devices: dict[str, str]  # "torch:cpu" -> device name
    variables: dict[str, str]  # environment variables that change speed, and thread settings
    settings: dict[str, str]  # TF32, fast math and thread settings, as each framework reports them
    cards: dict[str, str] = msgspec.field(default_factory=dict)  # card -> what it is

    @property
    def key(self) -> str:
        """Identity of the environment (12 hex digits)."""
        facts = msgspec.to_builtins(self)
        if not self.cards:  # as before schema 3, whose keys stand in their records
            del facts["cards"]
        return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()[:12]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """The start of a run, or of its continuation by ``--resume``."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    time_utc: str
    suite: str
    command: str
    settings: dict[str, Any]
    speedmetal_version: str
    resumed: bool = False


class FindingRecord(msgspec.Struct, frozen=True, kw_only=True, tag="finding"):
    """Something about the run that a reader must know: a contender that is not available,
    a time that does not grow with size, workers that did not fit in memory together.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    session: int
    time_utc: str
    kind: str
    message: str
    contender: str = ""
    operation: str = ""


Record = CaseRecord | CeilingRecord | EnvironmentRecord | RunRecord | FindingRecord
