"""What the benchmark runs on: the machine, the packages, the settings, and the load of the moment.

Two kinds of facts are kept apart. Those of :class:`Machine` that go into an
:class:`~speedmetal.bench.record.EnvironmentRecord` are the same at every look, because the record's
key is the identity of the environment. Those of :class:`Reading` change by the second; they are
taken before and after every case.

Nothing here imports a framework, and nothing raises because a fact cannot be read: an unreadable
fact is ``""``, ``0`` or None, as its description says.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from speedmetal.bench.record import Conditions, EnvironmentRecord

# Distributions whose version can change a time or a result.
PACKAGES = (
    *("speedmetal", "numpy", "scipy", "ml_dtypes", "llvmlite", "mkl", "intel-openmp"),
    *("mlx", "mlx-metal", "mlx-cpu", "mlx-cuda", "mlx-cuda-12", "mlx-cuda-13"),
    *("torch", "triton", "jax", "jaxlib", "jax-metal", "jax-cuda12-plugin", "jax-cuda13-plugin"),
    "drjit",
    *("cupy", "cupy-cuda12x", "cupy-cuda13x", "cuda-bindings", "nvidia-cublas"),
    *("nvidia-cublas-cu12", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13"),
    *("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12"),
)

# Environment variables that change speed, by the start of their name or by their whole name.
VARIABLE_PREFIXES = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_", "NUMEXPR_", "ATEN_"),
    *("DNNL_", "ONEDNN_", "MLX_", "XLA_", "JAX_", "PYTORCH_", "TORCH", "TRITON_", "CUPY_"),
    *("CUBLAS_", "CUDNN_", "MTL_", "METAL_", "MALLOC_", "DRJIT_"),
)
VARIABLE_NAMES = frozenset(
    {
        *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING"),
        *("CUDA_MODULE_LOADING", "CUDA_DEVICE_MAX_CONNECTIONS", "CUDA_CACHE_DISABLE"),
        *("NVIDIA_TF32_OVERRIDE", "GLIBC_TUNABLES", "LD_PRELOAD", "NPROC"),
        *("SPEEDMETAL_CPU", "SPEEDMETAL_DEBUG", "SPEEDMETAL_NUM_THREADS"),
    }
)
SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH")
# Where files lie changes no time, and it tells who the user is.
PLACE_ENDINGS = ("_DIR", "_HOME", "_PATH", "_FILE", "_ROOT")

# Sensors of the processor by their kernel driver, the best first.
CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "acpitz")

# Version 1 control groups write "no limit" as the largest multiple of the page size in 63 bits.
CGROUP_UNLIMITED = 1 << 60

_CPUINFO = Path("/proc/cpuinfo")
_CPUS = Path("/sys/devices/system/cpu")
_DEVICES = Path("/sys/devices")
_DEVICE_TREE_MODEL = Path("/proc/device-tree/model")
_LOAD = Path("/proc/loadavg")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_CGROUP_ROOT = Path("/sys/fs/cgroup")
_COMMAND_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Machine:
    """The machine as this process may use it.

    ``memory_available_bytes`` is of the moment of reading; everything else is stable.
    """

    system: str  # "Linux 6.1.0 x86_64", "macOS 15.5 arm64"
    chip: str  # "Apple M4 Pro", "AMD EPYC 9654"; the architecture where no name can be read
    cores: int  # physical cores; logical ones where the physical ones cannot be counted
    core_split: str  # "8P+4E" where cores differ and it is known, else ""
    memory_bytes: int  # of the machine, or the control group's limit where that is less
    memory_available_bytes: int
    last_level_cache_bytes: int  # all last-level caches together; 0 where it cannot be read
    python: str  # "CPython 3.12.4"
    governor: str  # "performance", "powersave, battery", "mains"; "" where it cannot be read


@dataclass(frozen=True)
class Reading:
    """The machine at one moment; None where it cannot be read."""

    load: float | None = None  # other processes that want to run; else the last minute's mean
    frequency_mhz: float | None = None  # mean over the cores
    temperature_celsius: float | None = None  # of the hottest part of the processor


def read_machine() -> Machine:
    """Read what the machine is."""
    limits = [limit for limit, _ in _cgroup_memory()]
    physical, logical = psutil.cpu_count(logical=False), psutil.cpu_count()
    return Machine(
        system=_system(),
        chip=_chip(),
        cores=physical or logical or os.cpu_count() or 1,
        core_split=_core_split(),
        memory_bytes=min([psutil.virtual_memory().total, *limits]),
        memory_available_bytes=available_memory_bytes(),
        last_level_cache_bytes=_last_level_cache_bytes(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        governor=_governor(),
    )


def environment_record(
    machine: Machine,
    threads: int,
    devices: Mapping[str, str],
    settings: Mapping[str, str],
    cards: Mapping[str, str] = {},
) -> EnvironmentRecord:
    """The record of an environment; it holds nothing that changes between two looks.

    Args:
        machine: From :func:`read_machine`.
        threads: Threads that every worker is given.
        devices: ``"torch:cpu"`` -> device name.
        settings: TF32, fast math and thread settings, as each framework reports them.
        cards: What each card is, with its driver and limits.
    """
    return EnvironmentRecord(
        system=machine.system,
        chip=machine.chip,
        cores=machine.cores,
        core_split=machine.core_split,
        memory_bytes=machine.memory_bytes,
        last_level_cache_bytes=machine.last_level_cache_bytes,
        python=machine.python,
        threads=threads,
        governor=machine.governor,
        packages=package_versions(PACKAGES),
        devices=dict(sorted(devices.items())),
        variables=relevant_variables(),
        settings=dict(sorted(settings.items())),
        cards=dict(sorted(cards.items())),
    )


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of the installed ones among ``names``, without importing them.

    Example:
        >>> sorted(package_versions(["numpy", "no-such-distribution"]))
        ['numpy']
    """
    versions: dict[str, str] = {}
    for name in sorted(set(names)):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def relevant_variables() -> dict[str, str]:
    """Environment variables that change speed; never a secret, never a place of files.

    Bytes that are not UTF-8 are replaced, so that a record can always hold the values.
    """
    return {
        name: value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        for name, value in sorted(os.environ.items())
        if (name in VARIABLE_NAMES or name.startswith(VARIABLE_PREFIXES))
        and name.isascii()
        and not name.endswith(PLACE_ENDINGS)
        and not any(word in name for word in SECRET_WORDS)
    }


def read_conditions() -> Reading:
    """Read the load, the clock and the temperature of this moment."""
    return Reading(_load(), _frequency_mhz(), _temperature_celsius())


_YARDSTICK_BYTES = 4 << 20
_YARDSTICK_TRIALS = 5


def yardsticks() -> dict[str, int]:
    """Nanoseconds of fixed work: hashing 4 MiB (arithmetic), and copying them (memory).

    The least of five trials each, about 15 ms in all. No framework has a part in it, so what
    changes in it between two runs is the machine.
    """
    source = bytearray(_YARDSTICK_BYTES)
    target = bytearray(_YARDSTICK_BYTES)

    def copy() -> None:
        target[:] = source

    return {
        "hash": _least_nanoseconds(lambda: hashlib.sha256(source)),
        "copy": _least_nanoseconds(copy),
    }


def _least_nanoseconds(work: Callable[[], object]) -> int:
    times = []
    for _ in range(_YARDSTICK_TRIALS):
        start = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - start)
    return min(times)


def conditions_between(
    before: Reading, after: Reading, yardstick_nanoseconds: Mapping[str, int] = {}
) -> Conditions:
    """The record's form of two readings, taken before and after a case, and of yardsticks."""
    return Conditions(
        load_before=before.load,
        load_after=after.load,
        frequency_before_mhz=before.frequency_mhz,
        frequency_after_mhz=after.frequency_mhz,
        temperature_before_celsius=before.temperature_celsius,
        temperature_after_celsius=after.temperature_celsius,
        yardstick_nanoseconds=dict(yardstick_nanoseconds),
    )


def available_memory_bytes() -> int:
    """Memory that can be taken now without swapping, within the limits of control groups."""
    room = [max(0, limit - used) for limit, used in _cgroup_memory()]
    return min([int(psutil.virtual_memory().available), *room])


def can_keep_memory() -> bool:
    """Whether the C library can be told to keep what is freed: glibc can, by its variables."""
    return platform.libc_ver()[0] == "glibc"


def default_threads() -> int:
    """Threads that a worker gets unless the user says otherwise; at least 1.

    One for every physical core that this process may run on (two hardware threads of a core share
    its arithmetic units), and no more than the control group's share of processor time.
    """
    allowed = _allowed_cpus()
    if allowed is None:
        return psutil.cpu_count(logical=False) or os.cpu_count() or 1
    cores = len({_core_of(cpu) for cpu in allowed})
    return max(1, min([cores, *_cgroup_cpus()]))


def equal_processors(count: int) -> list[int]:
    """Processors on which equal work takes equally long, one of each physical core.

    Of chips with two kinds of cores, those with the highest clock; of machines with several
    packages, those of one, if it has ``count``: memory is nearer to one package than to another.

    Args:
        count: How many are needed at least.

    Returns:
        Their numbers in order; none where the system lets no process choose (macOS).
    """
    allowed = _allowed_cpus()
    if not allowed or not hasattr(os, "sched_setaffinity"):
        return []
    by_core: dict[tuple[str, str, str], int] = {}
    for cpu in sorted(allowed):
        by_core.setdefault(_core_of(cpu), cpu)
    chosen = list(by_core.items())
    for kind in (lambda item: _highest_clock(item[1]), lambda item: item[0][0]):
        best = max(kind(item) for item in chosen)
        alike = [item for item in chosen if kind(item) == best]
        chosen = alike if len(alike) >= count else chosen
    return [cpu for _, cpu in chosen] if len(chosen) >= count else sorted(allowed)


def _highest_clock(cpu: int) -> str:
    return _text(_CPUS / f"cpu{cpu}" / "cpufreq" / "cpuinfo_max_freq").zfill(9)


def waiting_processes() -> float | None:
    """How many threads want to run at this moment, this one not counted; None if not told.

    Asked between two turns, when no worker computes, it is the load of other programs. Where the
    moment's number is not told (macOS), the mean of the last minute stands for it.
    """
    text = _text(_LOAD).split()
    if len(text) < 4:
        return _load()
    return float(max(0, _number(text[3].partition("/")[0]) - 1))


def clock_mhz(processor: int) -> float | None:
    """The present clock of one processor, read cheaply; None where it is not told."""
    kilohertz = _number(_text(_CPUS / f"cpu{processor}" / "cpufreq" / "scaling_cur_freq"))
    return kilohertz / 1000 if kilohertz else None


# -- The parts of a machine ------------------------------------------------------------------


def _system() -> str:
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]} {platform.machine()}"
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def _chip() -> str:
    if platform.system() == "Darwin":
        name = _sysctl("machdep.cpu.brand_string")
    else:
        found = re.search(
            r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", _text(_CPUINFO), re.MULTILINE
        )
        # ARM kernels name no model in /proc/cpuinfo; boards name themselves in the device tree.
        name = found.group(1) if found else _text(_DEVICE_TREE_MODEL).rstrip("\0")
    name = name or str(_cpuinfo().get("brand_raw", ""))
    return " ".join(name.split()) or platform.processor() or platform.machine()


def _core_split() -> str:
    if platform.system() == "Darwin":
        return _apple_core_split()
    # Hybrid processors of Intel list the two kinds; ARM kernels rate each core.
    kinds = [
        ("P", _cpu_list(_text(_DEVICES / "cpu_core" / "cpus"))),
        ("E", _cpu_list(_text(_DEVICES / "cpu_atom" / "cpus"))),
    ]
    if all(cpus for _, cpus in kinds):
        return "+".join(f"{len({_core_of(cpu) for cpu in cpus})}{kind}" for kind, cpus in kinds)
    capacities = [int(text) for path in _per_cpu("cpu_capacity") if (text := _text(path)).isdigit()]
    counts = [capacities.count(value) for value in sorted(set(capacities), reverse=True)]
    letters = {2: "PE", 3: "PME"}.get(len(counts), "")
    return "+".join(f"{count}{letter}" for count, letter in zip(counts, letters, strict=False))


def _apple_core_split() -> str:
    levels = _number(_sysctl("hw.nperflevels"))
    if levels < 2:
        return ""
    parts = []
    for level in range(levels):
        count = _number(_sysctl(f"hw.perflevel{level}.physicalcpu"))
        name = _sysctl(f"hw.perflevel{level}.name") or ("Performance" if level == 0 else "E")
        parts.append(f"{count}{name[0]}")
    return "+".join(parts)


def _last_level_cache_bytes() -> int:
    """All last-level caches together: threads on all cores have the sum of them.

    The system cache of Apple chips, beyond their L2, cannot be read and is not in the sum.
    """
    if platform.system() == "Darwin":
        return _apple_cache_bytes()
    caches: dict[int, dict[str, int]] = {}  # level -> processors that share it -> size
    for index in _per_cpu("cache/index*"):
        level = _number(_text(index / "level"))
        if _text(index / "type") in {"Unified", "Data"} and level:
            shared = _text(index / "shared_cpu_list") or str(index)
            caches.setdefault(level, {})[shared] = _size_bytes(_text(index / "size"))
    total = sum(caches[max(caches)].values()) if caches else 0
    if total:
        return total
    found = re.search(r"^cache size\s*:\s*(.+)$", _text(_CPUINFO), re.MULTILINE)
    if found and _size_bytes(found.group(1)):
        return _size_bytes(found.group(1))
    detected = _cpuinfo()
    return _size_bytes(str(detected.get("l3_cache_size") or detected.get("l2_cache_size") or ""))


def _apple_cache_bytes() -> int:
    level_three = _number(_sysctl("hw.l3cachesize"))  # Intel Macs
    if level_three:
        return level_three
    total = 0
    for level in range(_number(_sysctl("hw.nperflevels"))):
        size = _number(_sysctl(f"hw.perflevel{level}.l2cachesize"))
        cores = _number(_sysctl(f"hw.perflevel{level}.physicalcpu"))
        sharers = _number(_sysctl(f"hw.perflevel{level}.cpusperl2")) or cores or 1
        total += size * max(1, -(-cores // sharers))
    return total or _number(_sysctl("hw.l2cachesize"))


def _governor() -> str:
    if platform.system() == "Darwin":
        low_power = re.search(r"\blowpowermode\s+1\b", _output("pmset", "-g"))
        words = ["low power mode"] if low_power else []
    else:
        words = sorted({_text(p) for p in _per_cpu("cpufreq/scaling_governor")} - {""})
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError, NotImplementedError):
        battery = None
    # Machines without a battery have nothing to say; a full one may not know (None).
    if battery is not None and battery.power_plugged is not None:
        words.append("mains" if battery.power_plugged else "battery")
    return ", ".join(words)


# -- The moment ------------------------------------------------------------------------------


def _load() -> float | None:
    try:
        return float(os.getloadavg()[0])
    except (AttributeError, OSError):
        return None


def _frequency_mhz() -> float | None:
    # macOS tells the highest clock of the chip, not the present one: no reading at all.
    if platform.system() == "Darwin":
        return None
    try:
        frequency = psutil.cpu_freq()
    except (AttributeError, OSError, RuntimeError, NotImplementedError, ValueError):
        return None
    return float(frequency.current) if frequency is not None and frequency.current > 0 else None


def _temperature_celsius() -> float | None:
    try:
        sensors = psutil.sensors_temperatures()
    except (AttributeError, OSError, RuntimeError, NotImplementedError, ValueError):
        return None
    for name in CPU_SENSORS:
        values = [float(part.current) for part in sensors.get(name, []) if part.current]
        if values:
            return max(values)
    return None


# -- Control groups and affinity -------------------------------------------------------------


def _cgroup_folders(controller: str) -> list[Path]:
    """Folders of this process's control group and of all groups around it, inner first.

    Lines of /proc/self/cgroup are ``number:controllers:path``; version 2 has number 0 and no
    controllers. Inside a container the path may be the host's, which is not mounted: its parents
    are looked at all the same, up to the root, which is then the container's own group.
    """
    folders: list[Path] = []
    for line in _text(_OWN_CGROUPS).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            mounts = [_CGROUP_ROOT / controller, _CGROUP_ROOT / controllers]
        elif number == "0" and not controllers:
            mounts = [_CGROUP_ROOT]
        else:
            continue
        root = next((mount for mount in mounts if mount.is_dir()), mounts[0])
        group = root / path.lstrip("/")
        folders += [group, *(f for f in group.parents if f == root or root in f.parents)]
    return list(dict.fromkeys(folders))


def _cgroup_memory() -> list[tuple[int, int]]:
    """Limit and used memory in bytes, of every control group that limits this process.

    File pages that nobody has looked at lately are given back before a limit bites, so they do
    not count as used.
    """
    limits = []
    for folder in _cgroup_folders("memory"):
        for limit_file, usage_file, cache_name in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit = _text(folder / limit_file)
            if not limit.isdigit() or int(limit) >= CGROUP_UNLIMITED:
                continue  # absent, or "max"
            cache = re.search(rf"^{cache_name} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
            used = _number(_text(folder / usage_file)) - (int(cache.group(1)) if cache else 0)
            limits.append((int(limit), max(0, used)))
    return limits


def _cgroup_cpus() -> list[int]:
    """Processors that each limiting control group pays for, rounded up."""
    counts = []
    for folder in _cgroup_folders("cpu"):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if not quota:
            quota = _text(folder / "cpu.cfs_quota_us")
            period = _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):  # neither "max" nor "-1"
            counts.append(max(1, -(-int(quota) // int(period))))
    return counts


def _allowed_cpus() -> set[int] | None:
    try:
        return set(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # macOS has no affinity
        return None


def _core_of(cpu: int) -> tuple[str, str, str]:
    """Identity of the physical core of a processor; of itself where it cannot be read."""
    topology = _CPUS / f"cpu{cpu}" / "topology"
    core = _text(topology / "core_id")
    if not core:
        return "", "", f"cpu{cpu}"
    return _text(topology / "physical_package_id"), _text(topology / "die_id"), core


# -- Reading ---------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _per_cpu(pattern: str) -> list[Path]:
    """Paths that match ``pattern`` below the folder of each processor."""
    try:
        return sorted(_CPUS.glob(f"cpu[0-9]*/{pattern}"))
    except OSError:
        return []


def _cpu_list(text: str) -> set[int]:
    """Processors of a kernel list, ``"0-3,8"``; an empty set for what is no list."""
    cpus: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            return set()
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _size_bytes(text: str) -> int:
    """Bytes of ``"32768K"``, ``"8 MB"``, ``"33554432"``; 0 for what is no size."""
    found = re.fullmatch(r"(\d+)\s*([KMG]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not found:
        return 0
    return int(found.group(1)) << {"": 0, "K": 10, "M": 20, "G": 30}[found.group(2).upper()]


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_COMMAND_TIMEOUT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _sysctl(name: str) -> str:
    return _output("sysctl", "-n", name)


def _cpuinfo() -> dict[str, object]:
    """Everything that py-cpuinfo finds; it takes a second, so it is only asked as a last resort."""
    import cpuinfo

    try:
        return dict(cpuinfo.get_cpu_info() or {})
    except Exception:  # noqa: BLE001 - it runs many tools and parsers; none may end a run
        return {}
