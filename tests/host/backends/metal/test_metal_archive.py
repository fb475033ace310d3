"""Archives of compiled kernels on disk: found again, rebuilt when bad, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from metal_machine import machine
from speedmetal.backends.metal.driver import archive
from speedmetal.backends.metal.driver.libraries import compile_library
from speedmetal.backends.metal.driver.pipelines import make_pipeline, source_key
from speedmetal.system.disk_cache import CacheWarning, DiskCache, default_cache

TEXT = "kernel void f(device float* a [[buffer(0)]]) { a[0] = 1.0f; }\n"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    place = tmp_path / "cache"
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(place))
    monkeypatch.delenv("SPEEDMETAL_CACHE", raising=False)
    monkeypatch.delenv(archive.SWITCH_VARIABLE, raising=False)
    return place


def pipeline(device, key="key", text=TEXT):
    library = compile_library(device.context, text, language=(3, 1), math_mode="safe", label="f")
    return make_pipeline(device.context, library.newFunctionWithName_("f"), "f", source_key(key))


def hits(**configuration):
    """How many pipelines of a new machine came from an archive."""
    device = machine(**configuration)
    assert pipeline(device).threads_per_threadgroup == 1024
    return device.bridge.simulation.archive_hits


def entries(folder):
    """The archives; the simulator keeps its own compiled code there as well."""
    files = sorted(folder.iterdir()) if folder.exists() else []
    return [file for file in files if b"metal archive 1 " in file.read_bytes()[:100]]


def fresh_hits(monkeypatch, folder, **configuration):
    """Hits of pipelines that are read from disk: those that find an entry that was there."""
    reads = []
    original = DiskCache.get

    def get(self, key):
        found = original(self, key)
        if key.startswith("metal archive"):
            reads.append(found is not None)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(DiskCache, "get", get)
        count = hits(**configuration)
    return reads == [True] and count == 1


def test_the_first_pipeline_is_archived_and_the_next_process_finds_it(folder, monkeypatch):
    assert not fresh_hits(monkeypatch, folder)
    (entry,) = entries(folder)
    assert entry.stat().st_mode & 0o777 == 0o600
    assert fresh_hits(monkeypatch, folder)
    assert entries(folder) == [entry]


def test_what_changes_the_code_changes_the_place(folder):
    device = machine()
    for key in ("one", "two"):
        pipeline(device, key)
    pipeline(machine(os_version=(15, 1, 0)), "one")
    pipeline(machine(name="Another GPU"), "one")
    assert len(entries(folder)) == 4


def test_a_damaged_entry_is_rebuilt(folder, monkeypatch):
    hits()
    (entry,) = entries(folder)
    good = entry.read_bytes()
    for bad in (good[:-1], good[:-40], good.replace(b"entries", b"Entries")):
        entry.write_bytes(bad)
        assert not fresh_hits(monkeypatch, folder)
        assert entry.read_bytes() == good


def test_an_entry_that_metal_refuses_is_rebuilt(folder, monkeypatch):
    hits()
    (entry,) = entries(folder)
    device = machine()
    key = f"metal archive 1 {device.identity} {source_key('key')}"
    default_cache().put(key, b"no archive")
    assert default_cache().get(key) == b"no archive"
    pipeline(device)
    assert default_cache().get(key) != b"no archive"
    assert entries(folder) == [entry]


def test_a_system_that_reads_no_archives(folder):
    hits()
    device = machine(refuse_archives=True)
    assert pipeline(device).state is not None


def test_off_where_the_cache_is_off(folder, monkeypatch):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "0")
    assert hits() == 0
    assert entries(folder) == []


def test_off_by_itself(folder, monkeypatch):
    monkeypatch.setenv(archive.SWITCH_VARIABLE, "0")
    assert hits() == 0
    assert entries(folder) == []


def test_no_temporary_file_stays(folder, monkeypatch, tmp_path):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    hits()
    hits()
    assert list(place.iterdir()) == []


class Refusing:
    """An ``MTLDevice`` that makes no archives, or none that can be filled or written."""

    def __init__(self, native, refusal):
        self.native = native
        self.refusal = refusal

    def newBinaryArchiveWithDescriptor_error_(self, descriptor, error):  # noqa: N802 - Metal's
        made, error = self.native.newBinaryArchiveWithDescriptor_error_(descriptor, error)
        if self.refusal == "make":
            return None, error
        return RefusingArchive(made, self.refusal), error

    def __getattr__(self, name):
        return getattr(self.native, name)


class RefusingArchive:
    """Refuses one of its two selectors."""

    def __init__(self, native, refusal):
        self.native = native
        self.refusal = refusal

    def addComputePipelineFunctionsWithDescriptor_error_(self, descriptor, error):  # noqa: N802
        if self.refusal == "fill":
            return False, None
        return self.native.addComputePipelineFunctionsWithDescriptor_error_(descriptor, error)

    def serializeToURL_error_(self, url, error):  # noqa: N802 - Metal's
        Path(url.path()).write_text("the beginning of an arch")
        return False, None


class Descriptor:
    """Keeps stand-in archives from the simulator, which takes only its own."""

    def __init__(self, native):
        self.native = native

    def setBinaryArchives_(self, archives):  # noqa: N802 - Metal's
        self.native.setBinaryArchives_([a.native for a in archives])


@pytest.mark.parametrize("refusal", ["make", "fill", "write"])
def test_refusals_do_not_stop_a_launch(folder, monkeypatch, refusal):
    device = machine()
    library = compile_library(device.context, TEXT, language=(3, 1), math_mode="safe", label="f")
    native = device.bridge.Metal.MTLComputePipelineDescriptor.alloc().init()
    native.setComputeFunction_(library.newFunctionWithName_("f"))
    monkeypatch.setattr(device.context, "native", Refusing(device.native, refusal))
    monkeypatch.setattr(
        RefusingArchive,
        "addComputePipelineFunctionsWithDescriptor_error_",
        lambda self, d, e: (
            (False, None)
            if self.refusal == "fill"
            else self.native.addComputePipelineFunctionsWithDescriptor_error_(d.native, e)
        ),
    )

    def new_state(self, descriptor, *rest):
        return self.native.newComputePipelineStateWithDescriptor_options_reflection_error_(
            descriptor.native, *rest
        )

    name = "newComputePipelineStateWithDescriptor_options_reflection_error_"
    monkeypatch.setattr(Refusing, name, new_state, raising=False)
    with device.bridge.objc.autorelease_pool():
        state, error = archive.pipeline_state(device.context, Descriptor(native), "key")
    assert state is not None
    assert error is None
    assert entries(folder) == []


def test_no_room_for_temporary_files(folder, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert pipeline(machine()).state is not None
    assert entries(folder) == []


def test_a_folder_that_cannot_be_made(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.delenv("SPEEDMETAL_CACHE", raising=False)
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(blocked / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        assert pipeline(machine()).state is not None


FULL_DISK = """
import resource, signal, sys
import warnings; warnings.simplefilter("ignore")
sys.path.insert(0, {tests!r})
from metal_machine import machine
from speedmetal.backends.metal.driver.libraries import compile_library
from speedmetal.backends.metal.driver.pipelines import make_pipeline
device = machine()
library = compile_library(device.context, {text!r}, language=(3, 1), math_mode="safe", label="f")
function = library.newFunctionWithName_("f")
if {has_entry}:
    make_pipeline(device.context, function, "f", "key")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
made = make_pipeline(device.context, function, "f", "key")
print("made", made.threads_per_threadgroup)
"""


@pytest.mark.parametrize(("limit", "has_entry"), [(0, False), (100, False), (0, True)])
def test_a_full_disk_does_not_stop_a_launch(folder, limit, has_entry):
    """A limit on the size of files ends every write as a full disk does."""
    tests = str(Path(__file__).parents[3])
    script = FULL_DISK.format(tests=tests, text=TEXT, limit=limit, has_entry=has_entry)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"SPEEDMETAL_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "made 1024\n"
    assert len(entries(folder)) == has_entry
