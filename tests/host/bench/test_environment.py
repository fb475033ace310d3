"""The environment: read from the machine at hand, and from copies of other machines' files."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench import environment
from speedmetal.bench.environment import Machine, Reading
from speedmetal.bench.store import decode_line

GIBIBYTE = 2**30
CPUS = "sys/devices/system/cpu"
MACHINE = Machine(
    system="Linux 6.1.0 x86_64",
    chip="A chip",
    cores=8,
    core_split="4P+4E",
    memory_bytes=16 * GIBIBYTE,
    memory_available_bytes=7 * GIBIBYTE,
    last_level_cache_bytes=2**24,
    python="CPython 3.12.1",
    governor="performance",
)

Files = Callable[[dict[str, str]], None]


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Another Linux machine: only the given files of /proc and /sys are there."""
    for name, place in {
        "_CPUINFO": "proc/cpuinfo",
        "_CPUS": "sys/devices/system/cpu",
        "_DEVICES": "sys/devices",
        "_DEVICE_TREE_MODEL": "proc/device-tree/model",
        "_OWN_CGROUPS": "proc/self/cgroup",
        "_CGROUP_ROOT": "sys/fs/cgroup",
        "_LOAD": "proc/loadavg",
    }.items():
        monkeypatch.setattr(environment, name, tmp_path / place)
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    monkeypatch.setattr(environment, "_cpuinfo", dict)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None, raising=False)

    def write(files: dict[str, str]) -> None:
        for place, text in files.items():
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")

    return write


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """A Mac whose `sysctl` and `pmset` give what a test says."""

    def answer(values: dict[str, str]) -> None:
        monkeypatch.setattr(environment.platform, "system", lambda: "Darwin")
        monkeypatch.setattr(environment, "_output", lambda *command: values.get(command[-1], ""))
        monkeypatch.setattr(environment, "_cpuinfo", dict)

    return answer


# -- The machine at hand -------------------------------------------------------------------------


def test_this_machine_is_read() -> None:
    """Proves that every fact of a real machine is there, and of the right magnitude."""
    machine = environment.read_machine()
    assert machine.system.split()[0] in {"Linux", "macOS", "Windows"}
    assert machine.chip
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert 0 < machine.memory_available_bytes <= machine.memory_bytes
    assert machine.memory_bytes <= psutil.virtual_memory().total
    assert machine.last_level_cache_bytes >= 0
    version = ".".join(map(str, sys.version_info[:3]))
    assert machine.python.split()[1].startswith(version)


def test_a_machine_is_frozen_and_stable() -> None:
    """Proves that two looks differ in the free memory alone."""
    looks = [
        dataclasses.replace(environment.read_machine(), memory_available_bytes=0) for _ in "ab"
    ]
    assert looks[0] == looks[1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        looks[0].chip = "other"  # type: ignore[misc]


def test_conditions_of_this_machine_are_numbers_or_none() -> None:
    """Proves that a reading never raises and never invents: finite and positive, or None."""
    reading = environment.read_conditions()
    for value in dataclasses.astuple(reading):
        assert value is None or (math.isfinite(value) and value >= 0)


def test_nothing_imports_a_framework() -> None:
    """Proves that reading versions does not load what is measured."""
    code = (
        "import sys\n"
        "from speedmetal.bench import environment as e\n"
        "e.environment_record(e.read_machine(), 1, {}, {}); e.read_conditions()\n"
        "print(sorted({'torch', 'jax', 'mlx', 'cupy', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- The record ----------------------------------------------------------------------------------


def test_the_record_holds_nothing_that_changes_between_two_looks() -> None:
    """Proves that free memory is not in the key, and that every stable fact is."""
    first = environment.environment_record(MACHINE, 4, {}, {})
    free = dataclasses.replace(MACHINE, memory_available_bytes=1)
    assert environment.environment_record(free, 4, {}, {}).key == first.key
    for name in ("system", "chip", "core_split", "python", "governor"):
        other = dataclasses.replace(MACHINE, **{name: "other"})
        assert environment.environment_record(other, 4, {}, {}).key != first.key
    for name in ("cores", "memory_bytes", "last_level_cache_bytes"):
        other = dataclasses.replace(MACHINE, **{name: 1})
        assert environment.environment_record(other, 4, {}, {}).key != first.key
    assert environment.environment_record(MACHINE, 5, {}, {}).key != first.key


def test_the_record_has_devices_settings_variables_and_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proves that everything given and read is in the record, and that it can be stored."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    record = environment.environment_record(
        MACHINE, 3, {"torch:cpu": "A chip"}, {"torch.tf32": "off"}
    )
    assert record.devices == {"torch:cpu": "A chip"}
    assert record.settings == {"torch.tf32": "off"}
    assert record.variables["OMP_NUM_THREADS"] == "3"
    assert {"numpy", "speedmetal"} <= set(record.packages)
    assert (record.threads, record.chip, record.cores) == (3, "A chip", 8)
    assert decode_line(msgspec.json.encode(record)) == record


def test_versions_are_of_installed_packages_only() -> None:
    """Proves versions against the packages themselves; absent ones are left out."""
    assert environment.package_versions(["psutil", "no-such-package", "psutil"]) == {
        "psutil": psutil.__version__
    }
    assert environment.package_versions([]) == {}


def test_two_readings_become_the_conditions_of_a_case() -> None:
    """Proves that before and after are not mixed up."""
    conditions = environment.conditions_between(Reading(1, 2, 3), Reading(4, 5, 6))
    assert (conditions.load_before, conditions.load_after) == (1, 4)
    assert (conditions.frequency_before_mhz, conditions.frequency_after_mhz) == (2, 5)
    assert (conditions.temperature_before_celsius, conditions.temperature_after_celsius) == (3, 6)


# -- Variables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
        *("KMP_BLOCKTIME", "MLX_ENABLE_TF32", "XLA_FLAGS", "JAX_PLATFORMS", "NPROC"),
        *("PYTORCH_ENABLE_MPS_FALLBACK", "TORCHINDUCTOR_MAX_AUTOTUNE", "TORCH_LOGS"),
        *("CUDA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE"),
    ],
)
def test_variables_that_change_speed_are_recorded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the list of what is recorded."""
    monkeypatch.setenv(name, "7")
    assert environment.relevant_variables()[name] == "7"


@pytest.mark.parametrize(
    "name",
    [
        *("JAX_API_KEY", "TORCH_TOKEN", "MLX_SECRET_THING", "XLA_PASSWORD", "OMP_CREDENTIALS"),
        *("JAX_COMPILATION_CACHE_DIR", "TORCH_HOME", "MLX_METAL_PATH"),
        *("HOME", "PATH", "USER", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "CUDA_PATH", "NPROCS"),
    ],
)
def test_secrets_and_places_are_never_recorded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that a shared record tells nothing of its user, also under a listed prefix."""
    monkeypatch.setenv(name, "private")
    variables = environment.relevant_variables()
    assert name not in variables
    assert "private" not in variables.values()


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", min_size=1, max_size=30))
def test_only_listed_names_are_recorded(name: str) -> None:
    """Proves that it is a list of what is let through, not of what is held back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {name: "x"})
        recorded = environment.relevant_variables()
    listed = name in environment.VARIABLE_NAMES or name.startswith(environment.VARIABLE_PREFIXES)
    assert not recorded or listed


def test_a_variable_that_is_not_utf8_can_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that raw bytes in the environment do not stop a record from being written."""
    monkeypatch.setenv("XLA_FLAGS", os.fsdecode(b"--a=\xff\xfe"))
    record = environment.environment_record(MACHINE, 1, {}, {})
    assert record.variables["XLA_FLAGS"] == "--a=\ufffd\ufffd"
    assert decode_line(msgspec.json.encode(record)) == record


# -- Chips, cores and caches of other Linux machines ---------------------------------------------


@pytest.mark.parametrize(
    ("files", "chip"),
    [
        ({"proc/cpuinfo": "processor : 0\nmodel name\t: AMD  Ryzen 9 7950X "}, "AMD Ryzen 9 7950X"),
        ({"proc/cpuinfo": "processor : 0\nModel : Raspberry Pi 5"}, "Raspberry Pi 5"),
        (
            {"proc/cpuinfo": "processor : 0", "proc/device-tree/model": "Jetson AGX Orin\0"},
            "Jetson AGX Orin",
        ),
    ],
)
def test_the_chip_is_named(linux: Files, files: dict[str, str], chip: str) -> None:
    """Proves each place where a Linux kernel names its processor."""
    linux(files)
    assert environment._chip() == chip


def test_a_chip_without_a_name_is_its_architecture(
    linux: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the last resort; py-cpuinfo is asked before it."""
    monkeypatch.setattr(environment.platform, "processor", lambda: "")
    monkeypatch.setattr(environment.platform, "machine", lambda: "riscv64")
    assert environment._chip() == "riscv64"
    monkeypatch.setattr(environment, "_cpuinfo", lambda: {"brand_raw": "A RISC-V chip"})
    assert environment._chip() == "A RISC-V chip"


def test_a_hybrid_intel_chip_is_split_by_physical_cores(linux: Files) -> None:
    """Proves "2P+4E" for 2 cores of two threads each and 4 cores of one."""
    linux({"sys/devices/cpu_core/cpus": "0-3", "sys/devices/cpu_atom/cpus": "4-7"})
    for cpu, core in enumerate([0, 0, 4, 4, 8, 9, 10, 11]):
        linux(
            {
                f"sys/devices/system/cpu/cpu{cpu}/topology/core_id": str(core),
                f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id": "0",
            }
        )
    assert environment._core_split() == "2P+4E"


@pytest.mark.parametrize(
    ("capacities", "split"),
    [
        ([430, 430, 430, 430, 1024, 1024], "2P+4E"),
        ([1024, 1024], ""),
        ([], ""),
        ([200, 600, 600, 1024], "1P+2M+1E"),
    ],
)
def test_an_arm_chip_is_split_by_capacity(linux: Files, capacities: list[int], split: str) -> None:
    """Proves the split of big and little cores, and none where all are alike or unrated."""
    for cpu, capacity in enumerate(capacities):
        linux({f"sys/devices/system/cpu/cpu{cpu}/cpu_capacity": str(capacity)})
    assert environment._core_split() == split


def cache(cpu: int, level: int, size: str, shared: str, kind: str = "Unified") -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpu{cpu}/cache/index{level}"
    return {
        f"{folder}/level": str(level),
        f"{folder}/type": kind,
        f"{folder}/size": size,
        f"{folder}/shared_cpu_list": shared,
    }


def test_all_last_level_caches_count_once(linux: Files) -> None:
    """Proves the sum over two L3 caches of two processors each, without the L2."""
    for cpu in range(4):
        linux(cache(cpu, 2, "1024K", str(cpu)))
        linux(cache(cpu, 3, "32M", "0-1" if cpu < 2 else "2-3"))
    assert environment._last_level_cache_bytes() == 64 * 2**20


def test_instruction_caches_are_no_last_level(linux: Files) -> None:
    """Proves that only caches of data count."""
    linux(cache(0, 1, "32K", "0", "Data"))
    linux(cache(0, 2, "64K", "0", "Instruction"))
    assert environment._last_level_cache_bytes() == 32 * 2**10


def test_the_cache_is_found_without_sysfs(linux: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the order: /proc/cpuinfo, then py-cpuinfo, then 0."""
    assert environment._last_level_cache_bytes() == 0
    monkeypatch.setattr(environment, "_cpuinfo", lambda: {"l3_cache_size": 8 * 2**20})
    assert environment._last_level_cache_bytes() == 8 * 2**20
    linux({"proc/cpuinfo": "cache size\t: 33792 KB"})
    assert environment._last_level_cache_bytes() == 33792 * 1024


def test_a_failing_py_cpuinfo_does_not_end_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that an exception of the package is an unreadable fact."""

    def fail() -> None:
        raise RuntimeError("no tool")

    monkeypatch.setitem(sys.modules, "cpuinfo", SimpleNamespace(get_cpu_info=fail))
    assert environment._cpuinfo() == {}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("32768K", 2**25), ("8 MB", 2**23), ("1 MiB", 2**20), ("33554432", 2**25)),
        *(("2G", 2**31), ("512 KB", 2**19), ("", 0), ("many", 0), ("-1", 0)),
    ],
)
def test_sizes(text: str, size: int) -> None:
    """Proves every spelling of the kernel and of py-cpuinfo."""
    assert environment._size_bytes(text) == size


@given(st.sets(st.integers(min_value=0, max_value=300)))
def test_processor_lists(cpus: set[int]) -> None:
    """Proves the kernel's lists, both as single numbers and as ranges."""
    single = ",".join(map(str, sorted(cpus)))
    ranges = ",".join(f"{cpu}-{cpu}" for cpu in cpus)
    assert environment._cpu_list(single) == environment._cpu_list(ranges) == cpus
    assert environment._cpu_list("0-3,8") == {0, 1, 2, 3, 8}
    assert environment._cpu_list("none") == set()


def battery(plugged: bool | None) -> SimpleNamespace:
    return SimpleNamespace(percent=50, secsleft=600, power_plugged=plugged)


@pytest.mark.parametrize(
    ("governors", "plugged", "expected"),
    [
        ([], "none", ""),
        (["performance", "performance"], "none", "performance"),
        (["performance", "powersave"], "none", "performance, powersave"),
        (["powersave"], False, "powersave, battery"),
        (["powersave"], True, "powersave, mains"),
        (["powersave"], None, "powersave"),
    ],
)
def test_the_governor_and_the_power_source(
    linux: Files,
    monkeypatch: pytest.MonkeyPatch,
    governors: list[str],
    plugged: bool | str | None,
    expected: str,
) -> None:
    """Proves the words for mixed governors and for machines with and without a battery."""
    for cpu, governor in enumerate(governors):
        linux({f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor": governor})
    found = None if isinstance(plugged, str) else battery(plugged)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: found, raising=False)
    assert environment._governor() == expected


# -- Macs ----------------------------------------------------------------------------------------

M4_PRO = {
    "machdep.cpu.brand_string": "Apple M4 Pro",
    "hw.nperflevels": "2",
    "hw.perflevel0.name": "Performance",
    "hw.perflevel0.physicalcpu": "8",
    "hw.perflevel0.l2cachesize": str(16 * 2**20),
    "hw.perflevel0.cpusperl2": "4",
    "hw.perflevel1.name": "Efficiency",
    "hw.perflevel1.physicalcpu": "4",
    "hw.perflevel1.l2cachesize": str(4 * 2**20),
    "hw.perflevel1.cpusperl2": "4",
}


def test_an_apple_chip_is_read_from_sysctl(mac: Callable[[dict[str, str]], None]) -> None:
    """Proves the chip, the split of its cores and the sum of its clusters' L2 caches."""
    mac(M4_PRO)
    assert environment._chip() == "Apple M4 Pro"
    assert environment._core_split() == "8P+4E"
    assert environment._last_level_cache_bytes() == (2 * 16 + 4) * 2**20
    assert environment._system().startswith("macOS ")


def test_other_kinds_of_apple_cores_are_named_by_their_own_letter(
    mac: Callable[[dict[str, str]], None],
) -> None:
    """Proves that the letters are those of the system's names."""
    mac({**M4_PRO, "hw.perflevel0.name": "Super", "hw.perflevel1.name": "Performance"})
    assert environment._core_split() == "8S+4P"


def test_an_intel_mac_has_one_kind_of_core(mac: Callable[[dict[str, str]], None]) -> None:
    """Proves an L3 cache in place of clusters, and no split."""
    mac({"hw.nperflevels": "1", "hw.l3cachesize": str(12 * 2**20)})
    assert environment._core_split() == ""
    assert environment._last_level_cache_bytes() == 12 * 2**20


def test_low_power_mode_of_a_mac_is_recorded(
    mac: Callable[[dict[str, str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a throttled laptop is told from a fast one."""
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery(plugged=False), raising=False)
    mac({"-g": "Currently in use:\n lowpowermode         1\n"})
    assert environment._governor() == "low power mode, battery"
    mac({"-g": "Currently in use:\n lowpowermode         0\n"})
    assert environment._governor() == "battery"


def test_the_highest_clock_of_a_mac_is_not_taken_for_the_present_one(
    mac: Callable[[dict[str, str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves None where the system tells only a constant."""
    monkeypatch.setattr(psutil, "cpu_freq", lambda: SimpleNamespace(current=3504.0), raising=False)
    mac({})
    assert environment.read_conditions().frequency_mhz is None


def test_a_missing_tool_is_an_unreadable_fact() -> None:
    """Proves that an absent command, a failing one and a slow one give the empty text."""
    assert environment._output("no-such-command-anywhere") == ""
    assert environment._output(sys.executable, "-c", "raise SystemExit(3)") == ""
    assert environment._output(sys.executable, "-c", "print(' x ')") == "x"


# -- The moment ----------------------------------------------------------------------------------


def test_unreadable_conditions_are_none(linux: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that each of the three may be missing, or fail, alone."""

    def fail() -> float:
        raise OSError("not here")

    monkeypatch.setattr(os, "getloadavg", fail)
    monkeypatch.setattr(psutil, "cpu_freq", lambda: None)
    monkeypatch.setattr(psutil, "sensors_temperatures", dict, raising=False)
    assert environment.read_conditions() == Reading(None, None, None)
    monkeypatch.setattr(psutil, "cpu_freq", fail)
    monkeypatch.setattr(psutil, "sensors_temperatures", fail, raising=False)
    assert environment.read_conditions() == Reading(None, None, None)
    monkeypatch.setattr(psutil, "cpu_freq", lambda: SimpleNamespace(current=0.0))
    assert environment.read_conditions().frequency_mhz is None


def test_the_temperature_is_that_of_the_hottest_part_of_the_processor(
    linux: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that disks and boards are not taken for the processor."""
    sensors = {
        "nvme": [SimpleNamespace(current=90.0)],
        "acpitz": [SimpleNamespace(current=20.0)],
        "k10temp": [SimpleNamespace(current=55.5), SimpleNamespace(current=61.0)],
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: sensors, raising=False)
    assert environment.read_conditions().temperature_celsius == 61.0
    monkeypatch.setattr(
        psutil, "sensors_temperatures", lambda: {"nvme": sensors["nvme"]}, raising=False
    )
    assert environment.read_conditions().temperature_celsius is None


@pytest.mark.parametrize(
    ("text", "waiting"),
    [
        ("0.00 0.01 0.05 1/123 4567", 0.0),
        ("9.50 8.25 7.00 4/123 4567", 3.0),
        # A container's view may leave out the process that asks.
        ("9.50 8.25 7.00 0/123 4567", 0.0),
        ("9.50", 2.5),
        ("", 2.5),
    ],
)
def test_waiting_processes(
    linux: Files, monkeypatch: pytest.MonkeyPatch, text: str, waiting: float
) -> None:
    """Proves that the moment's runnable threads count, without the one that asks, and that the
    last minute's mean stands in where they are not told."""
    linux({"proc/loadavg": text})
    monkeypatch.setattr(os, "getloadavg", lambda: (2.5, 1.0, 0.5), raising=False)
    assert environment.waiting_processes() == waiting


@pytest.mark.usefixtures("linux")
def test_waiting_processes_are_unknown_where_nothing_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proves None, not a quiet machine, without /proc and without a mean."""
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert environment.waiting_processes() is None


def test_the_clock_is_that_of_the_processor(linux: Files) -> None:
    """Proves megahertz of the kernel's kilohertz, of the one that is asked for; None where its
    clock is not told, or is told as zero or in words."""
    for cpu, kilohertz in enumerate(["2400500", "5100000", "0", "<unknown>"]):
        linux({f"{CPUS}/cpu{cpu}/cpufreq/scaling_cur_freq": kilohertz})
    clocks = [environment.clock_mhz(cpu) for cpu in range(5)]
    assert clocks == [2400.5, 5100.0, None, None, None]


def test_yardsticks_are_times_of_real_work() -> None:
    """Proves both pieces of work, each as whole nanoseconds above zero."""
    found = environment.yardsticks()
    assert list(found) == ["hash", "copy"]
    assert all(type(nanoseconds) is int and nanoseconds > 0 for nanoseconds in found.values())


def test_a_yardstick_is_the_least_of_its_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that what interrupts a trial does not count: the work is done five times, and the
    shortest of them is told."""
    readings = iter([0, 90, 100, 170, 200, 250, 300, 380, 400, 460])
    monkeypatch.setattr(environment.time, "perf_counter_ns", lambda: next(readings))
    done: list[None] = []
    assert environment._least_nanoseconds(lambda: done.append(None)) == 50
    assert len(done) == 5


@pytest.mark.parametrize(
    ("library", "can"), [(("glibc", "2.39"), True), (("libc", ""), False), (("", ""), False)]
)
def test_only_glibc_can_keep_memory(
    monkeypatch: pytest.MonkeyPatch, library: tuple[str, str], can: bool
) -> None:
    """Proves it for glibc, another C library, and one that cannot be told."""
    monkeypatch.setattr(environment.platform, "libc_ver", lambda: library)
    assert environment.can_keep_memory() is can


# -- Control groups and affinity -----------------------------------------------------------------


@pytest.fixture
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 GiB, 32 of them free."""
    memory = SimpleNamespace(total=64 * GIBIBYTE, available=32 * GIBIBYTE)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


V2 = "sys/fs/cgroup"
V1 = "sys/fs/cgroup/memory"


@pytest.mark.usefixtures("plenty")
@pytest.mark.parametrize(
    ("files", "available"),
    [
        ({}, 32 * GIBIBYTE),
        # Version 2: limit less used, where file pages that can be dropped are not used.
        (
            {
                "proc/self/cgroup": "0::/box",
                f"{V2}/box/memory.max": str(4 * GIBIBYTE),
                f"{V2}/box/memory.current": str(3 * GIBIBYTE),
                f"{V2}/box/memory.stat": f"anon 5\ninactive_file {GIBIBYTE}\nactive_file 7",
            },
            2 * GIBIBYTE,
        ),
        ({"proc/self/cgroup": "0::/box", f"{V2}/box/memory.max": "max"}, 32 * GIBIBYTE),
        # A limit of a group around ours counts too.
        (
            {
                "proc/self/cgroup": "0::/outer/inner",
                f"{V2}/outer/memory.max": str(8 * GIBIBYTE),
                f"{V2}/outer/memory.current": str(GIBIBYTE),
                f"{V2}/outer/inner/memory.max": str(20 * GIBIBYTE),
                f"{V2}/outer/inner/memory.current": "0",
            },
            7 * GIBIBYTE,
        ),
        # In a container the path may be the host's, and the root is our own group.
        (
            {
                "proc/self/cgroup": "0::/host/path/of/container",
                f"{V2}/memory.max": str(2 * GIBIBYTE),
                f"{V2}/memory.current": str(GIBIBYTE),
            },
            GIBIBYTE,
        ),
        # Version 1, beside an empty version 2 hierarchy.
        (
            {
                "proc/self/cgroup": "4:memory:/box\n3:cpuset:/\n0::/",
                f"{V1}/box/memory.limit_in_bytes": str(4 * GIBIBYTE),
                f"{V1}/box/memory.usage_in_bytes": str(3 * GIBIBYTE),
                f"{V1}/box/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIBIBYTE}",
            },
            2 * GIBIBYTE,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/box",
                f"{V1}/box/memory.limit_in_bytes": "9223372036854771712",
            },
            32 * GIBIBYTE,
        ),
        # More used than allowed leaves nothing, not less than nothing.
        (
            {
                "proc/self/cgroup": "0::/",
                f"{V2}/memory.max": "1000",
                f"{V2}/memory.current": "2000",
            },
            0,
        ),
        ({"proc/self/cgroup": "not\na:cgroup\nfile::::", "proc/cpuinfo": "x"}, 32 * GIBIBYTE),
    ],
)
def test_available_memory_respects_control_groups(
    linux: Files, files: dict[str, str], available: int
) -> None:
    """Proves the least of the machine's free memory and the room in every control group."""
    linux(files)
    assert environment.available_memory_bytes() == available


@pytest.mark.usefixtures("plenty")
def test_the_memory_of_a_machine_is_what_its_control_group_allows(linux: Files) -> None:
    """Proves that a container of 4 GiB is a machine of 4 GiB, whatever it has used."""
    linux({"proc/self/cgroup": "0::/", f"{V2}/memory.max": str(4 * GIBIBYTE)})
    assert environment.read_machine().memory_bytes == 4 * GIBIBYTE


def topology(cores: list[int]) -> dict[str, str]:
    return {f"{CPUS}/cpu{cpu}/topology/core_id": str(core) for cpu, core in enumerate(cores)}


def packages(numbers: list[int]) -> dict[str, str]:
    return {
        f"{CPUS}/cpu{cpu}/topology/physical_package_id": str(number)
        for cpu, number in enumerate(numbers)
    }


def highest_clocks(megahertz: list[int]) -> dict[str, str]:
    return {
        f"{CPUS}/cpu{cpu}/cpufreq/cpuinfo_max_freq": str(1000 * clock)
        for cpu, clock in enumerate(megahertz)
    }


# Two cores of two threads and four of one; their clocks have three and four digits.
HYBRID = {
    **topology([0, 0, 4, 4, 8, 9, 10, 11]),
    **packages([0] * 8),
    **highest_clocks([1100] * 4 + [900] * 4),
}
# Two packages of two cores of two threads each; the cores of both have the same numbers.
TWO_PACKAGES = {**topology([0, 1, 0, 1] * 2), **packages([0] * 4 + [1] * 4)}


@pytest.mark.parametrize(
    ("files", "allowed", "count", "chosen"),
    [
        # One of each core, the first that is allowed.
        (topology([0, 1, 2, 3, 0, 1, 2, 3]), set(range(8)), 2, [0, 1, 2, 3]),
        (topology([0, 1, 2, 3, 0, 1, 2, 3]), {1, 4, 5, 6}, 2, [1, 4, 6]),
        # No topology: every processor is a core.
        ({}, {7, 2, 10}, 1, [2, 7, 10]),
        # Those with the highest clock, unless they are too few.
        (HYBRID, set(range(8)), 1, [0, 2]),
        (HYBRID, set(range(8)), 2, [0, 2]),
        (HYBRID, set(range(8)), 3, [0, 2, 4, 5, 6, 7]),
        (HYBRID, {4, 5, 7}, 2, [4, 5, 7]),
        # Those of one package, unless they are too few.
        (TWO_PACKAGES, set(range(8)), 2, [4, 5]),
        (TWO_PACKAGES, {0, 1, 4}, 1, [4]),
        (TWO_PACKAGES, {0, 1, 4}, 2, [0, 1, 4]),
        (TWO_PACKAGES, set(range(8)), 3, [0, 1, 4, 5]),
        # Fewer cores than are needed: all that is allowed.
        (topology([0, 1, 0, 1]), {0, 1, 2, 3}, 3, [0, 1, 2, 3]),
        (topology([0, 1, 0, 1]), {0, 2, 3}, 4, [0, 2, 3]),
    ],
)
def test_equal_processors(
    linux: Files,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    allowed: set[int],
    count: int,
    chosen: list[int],
) -> None:
    """Proves one processor of each core, of the quickest kind and of one package where those
    suffice, and everything that is allowed where the cores do not."""
    linux(files)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    assert environment.equal_processors(count) == chosen


@pytest.mark.parametrize("call", ["sched_getaffinity", "sched_setaffinity"])
def test_no_processor_is_chosen_where_no_process_may_choose(
    linux: Files, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Proves an empty choice on systems that tell no affinity, or let none be set."""
    linux(topology([0, 1]))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    assert environment.equal_processors(1) == [0, 1]
    monkeypatch.delattr(os, call)
    assert environment.equal_processors(1) == []


@pytest.mark.parametrize(
    ("files", "allowed", "threads"),
    [
        # Four cores of two threads each.
        (topology([0, 1, 2, 3, 0, 1, 2, 3]), set(range(8)), 4),
        (topology([0, 1, 2, 3, 0, 1, 2, 3]), {0, 4}, 1),
        (topology([0, 1, 2, 3, 0, 1, 2, 3]), {0, 1, 5}, 2),
        # No topology: every processor is a core.
        ({}, {0, 1, 2}, 3),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "150000 100000"}, set(range(8)), 2),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "max 100000"}, set(range(8)), 8),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "10000 100000"}, set(range(8)), 1),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/box",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "300000",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
            },
            set(range(8)),
            3,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            set(range(8)),
            8,
        ),
    ],
)
def test_default_threads(
    linux: Files,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    allowed: set[int],
    threads: int,
) -> None:
    """Proves one thread for each physical core that affinity and control groups leave."""
    linux(files)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed, raising=False)
    assert environment.default_threads() == threads


def test_default_threads_without_affinity_are_the_physical_cores(
    linux: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the count of systems like macOS, and 1 where nothing can be counted."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 24 if logical else 12)
    assert environment.default_threads() == 12
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: None)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert environment.default_threads() == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_default_threads_respect_the_real_affinity() -> None:
    """Proves it in a process that is really bound to one processor."""
    code = (
        "import os\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from speedmetal.bench.environment import default_threads\n"
        "print(default_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
