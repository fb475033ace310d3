"""The disk cache returns what was put, or nothing: under damage, races, full disks, foreign owners.

The faults are caused, not imitated: writers are killed, bytes flipped, folders given away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.errors import CacheError
from speedmetal.system import disk_cache as cache_module
from speedmetal.system.disk_cache import CacheWarning, DiskCache, default_cache

is_root = os.geteuid() == 0
needs_root = pytest.mark.skipif(not is_root, reason="only root may give files away or mount")
STRANGER = 12345  # a user whom no system has


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "parent" / "cache"


@pytest.fixture
def cache(folder) -> DiskCache:
    return DiskCache(folder)


def entry_of(cache: DiskCache) -> Path:
    (entry,) = cache.folder.iterdir()
    return entry


def assert_works_without_cache(cache: DiskCache) -> None:
    """Values are built each time, with exactly one warning in all."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert cache.get_or_build("key", lambda: b"first") == b"first"
        assert cache.get_or_build("key", lambda: b"second") == b"second"
    (warning,) = caught
    assert warning.category is CacheWarning
    assert "cannot be kept on disk" in str(warning.message)
    assert "SPEEDMETAL_CACHE_DIR" in str(warning.message)


# --- what it is for


@given(key=st.text(st.characters(exclude_categories=["Cs"])), value=st.binary())
def test_what_was_put_is_found_by_every_process(tmp_path_factory, key, value):
    folder = tmp_path_factory.mktemp("round") / "cache"
    DiskCache(folder).put(key, value)
    assert DiskCache(folder).get(key) == value


def test_nothing_is_found_under_other_keys(cache):
    cache.put("one", b"1")
    assert cache.get("two") is None


def test_a_put_replaces_the_value(cache):
    cache.put("key", b"old")
    cache.put("key", b"new")
    assert cache.get("key") == b"new"
    assert len(list(cache.folder.iterdir())) == 1


def test_a_value_is_built_once(cache):
    assert cache.get_or_build("key", lambda: b"built") == b"built"
    assert cache.get_or_build("key", lambda: pytest.fail("built twice")) == b"built"


def test_a_failing_build_leaves_nothing(cache):
    def fail() -> bytes:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get_or_build("key", fail)
    assert cache.get("key") is None


def test_clear_removes_everything(cache):
    for number in range(5):
        cache.put(str(number), b"value")
    cache.clear()
    assert list(cache.folder.iterdir()) == []
    cache.put("key", b"value")
    assert cache.get("key") == b"value"


def test_clear_needs_no_folder(cache):
    cache.clear()
    assert not cache.folder.exists()


def test_a_folder_that_is_removed_meanwhile_is_made_again(cache):
    cache.put("key", b"value")
    entry_of(cache).unlink()
    cache.folder.rmdir()
    assert cache.get("key") is None
    cache.put("key", b"value")
    assert cache.get("key") == b"value"


def test_folder_and_entries_are_private_whatever_the_umask(cache):
    before = os.umask(0)
    try:
        cache.put("key", b"value")
    finally:
        os.umask(before)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert entry_of(cache).stat().st_mode & 0o777 == 0o600


# --- damage


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_flipped_byte_anywhere_makes_an_entry_absent(tmp_path_factory, position, flip):
    cache = DiskCache(tmp_path_factory.mktemp("flip") / "cache")
    cache.put("key", b"some value")
    content = bytearray(entry_of(cache).read_bytes())
    content[position % len(content)] ^= flip
    entry_of(cache).write_bytes(content)
    assert cache.get("key") is None
    assert cache.get_or_build("key", lambda: b"again") == b"again"
    assert cache.get("key") == b"again"


def test_a_cut_or_grown_entry_is_absent(cache):
    cache.put("key", b"some value")
    whole = entry_of(cache).read_bytes()
    for length in range(len(whole)):
        entry_of(cache).write_bytes(whole[:length])
        assert cache.get("key") is None, length
    entry_of(cache).write_bytes(whole + b"x")
    assert cache.get("key") is None
    entry_of(cache).write_bytes(whole)
    assert cache.get("key") == b"some value"


def test_an_entry_that_was_moved_to_another_key_is_absent(cache):
    cache.put("key", b"value")
    moved = entry_of(cache)
    moved.rename(cache.folder / cache_module._file_name("other"))
    assert cache.get("other") is None


def test_entries_of_another_format_are_absent(cache, monkeypatch):
    cache.put("key", b"value")
    monkeypatch.setattr(cache_module, "_FORMAT", cache_module._FORMAT + 1)
    assert cache.get("key") is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_other_things_in_an_entrys_place_are_absent(cache, make):
    cache.put("key", b"value")
    entry = entry_of(cache)
    entry.unlink()
    make(entry)
    assert cache.get("key") is None


def test_links_to_whole_entries_are_not_followed(cache, tmp_path):
    cache.put("key", b"value")
    entry = entry_of(cache)
    elsewhere = tmp_path / "elsewhere"
    entry.rename(elsewhere)
    entry.symlink_to(elsewhere)
    assert cache.get("key") is None
    assert cache.get_or_build("key", lambda: b"again") == b"again"
    assert not entry.is_symlink()


def test_an_entry_that_cannot_be_read_is_absent(cache):
    cache.put("key", b"value")
    entry_of(cache).chmod(0o200)
    # Root may read anything; the mode is still private, so the value is right then.
    assert cache.get("key") == (b"value" if is_root else None)


# --- trust


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(cache, mode):
    cache.put("key", b"value")
    cache.folder.chmod(mode)
    for use in (
        lambda fresh: fresh.get("key"),
        lambda fresh: fresh.put("key", b"x"),
        lambda fresh: fresh.get_or_build("key", bytes),
        lambda fresh: fresh.clear(),
    ):
        with pytest.raises(CacheError) as caught:
            use(DiskCache(cache.folder))
    assert str(caught.value) == (
        f"the cache folder {cache.folder} holds code that would be run: expected it to belong to "
        f"you (user {os.geteuid()}) and to be writable by nobody else, got owner {os.geteuid()} "
        f"and mode {mode:04o}; run: chmod 700 {cache.folder}; and clear it if others may have "
        "written there; or set SPEEDMETAL_CACHE_DIR to a folder of your own, or "
        "SPEEDMETAL_CACHE=0 to do without a cache"
    )
    cache.folder.chmod(0o700)
    assert DiskCache(cache.folder).get("key") == b"value"


@needs_root
def test_a_folder_of_another_user_is_refused(cache):
    cache.put("key", b"value")
    os.chown(cache.folder, STRANGER, -1)
    with pytest.raises(CacheError, match=f"got owner {STRANGER} and mode 0700; remove it; or set"):
        DiskCache(cache.folder).get("key")


@needs_root
def test_an_entry_of_another_user_is_never_loaded_and_is_replaced(cache):
    cache.put("key", b"evil")
    os.chown(entry_of(cache), STRANGER, -1)
    assert cache.get("key") is None
    assert cache.get_or_build("key", lambda: b"good") == b"good"
    assert entry_of(cache).stat().st_uid == os.geteuid()
    assert cache.get("key") == b"good"


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_an_entry_that_others_may_write_to_is_never_loaded(cache, mode):
    cache.put("key", b"evil")
    entry_of(cache).chmod(mode)
    assert cache.get("key") is None


# --- nowhere to write


def test_a_file_in_the_folders_place_leaves_a_warning(cache):
    cache.folder.parent.mkdir()
    cache.folder.write_text("not a folder")
    assert_works_without_cache(cache)


def test_a_file_in_the_parents_place_leaves_a_warning(cache):
    cache.folder.parent.write_text("not a folder")
    assert_works_without_cache(cache)


def in_process(body: str, *, user: int | None = None) -> subprocess.CompletedProcess[str]:
    preamble = """
import os, resource, sys, warnings
from pathlib import Path
from speedmetal.system.disk_cache import *
from speedmetal.system.disk_cache import CacheWarning
def assert_works_without_cache(cache):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert cache.get_or_build("key", lambda: b"first" * 1000) == b"first" * 1000
        assert cache.get_or_build("key", lambda: b"second" * 1000) == b"second" * 1000
    (warning,) = caught
    assert warning.category is CacheWarning
"""
    become = f"os.setgroups([]); os.setgid({user}); os.setuid({user})\n" if user else ""
    return subprocess.run(
        [sys.executable, "-c", preamble + become + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def assert_success(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def open_path(tmp_path):
    """A folder to which any user can get, which pytest's own folders do not allow."""
    path = tmp_path
    opened = []
    while path != path.parent and not path.stat().st_mode & 0o001:
        opened.append((path, path.stat().st_mode))
        path.chmod(path.stat().st_mode | 0o755)
        path = path.parent
    yield tmp_path
    for path, mode in opened:
        path.chmod(mode & 0o7777)


@needs_root
def test_a_folder_without_write_permission_is_read_and_leaves_a_warning(open_path):
    """Run as another user, since root may write everywhere."""
    folder = open_path / "cache"
    DiskCache(folder).put("kept", b"value")
    for path in (folder, *folder.iterdir()):
        os.chown(path, STRANGER, STRANGER)
    folder.chmod(0o500)
    assert_success(
        in_process(
            f"""
            cache = DiskCache(Path({str(folder)!r}))
            assert cache.get("kept") == b"value"
            assert_works_without_cache(cache)
            """,
            user=STRANGER,
        )
    )


@needs_root
def test_a_parent_without_write_permission_leaves_a_warning(open_path):
    assert_success(
        in_process(
            f"assert_works_without_cache(DiskCache(Path({str(open_path)!r}) / 'a' / 'cache'))",
            user=STRANGER,
        )
    )


@needs_root
def test_a_user_without_a_home_works_without_cache():
    """Neither HOME nor the list of users names one; nothing called "~" must be made."""
    assert_success(
        in_process(
            """
            for name in ("HOME", "XDG_CACHE_HOME", "SPEEDMETAL_CACHE_DIR", "SPEEDMETAL_CACHE"):
                os.environ.pop(name, None)
            os.chdir("/")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                cache = default_cache()
                assert default_cache().get_or_build("key", lambda: b"value") == b"value"
            (warning,) = caught
            assert "home" in str(warning.message), warning
            assert cache.folder is None
            """,
            user=STRANGER,
        )
    )


def test_a_home_that_is_missing_works_without_cache(monkeypatch):
    done = in_process(
        """
        for name in ("XDG_CACHE_HOME", "SPEEDMETAL_CACHE_DIR", "SPEEDMETAL_CACHE"):
            os.environ.pop(name, None)
        os.environ["HOME"] = "/proc/no-home"  # nobody can make a folder there
        assert_works_without_cache(default_cache())
        """
    )
    if not Path("/proc").is_dir():
        pytest.skip("needs a file system in which nobody can make folders: Linux's /proc")
    assert_success(done)


@contextlib.contextmanager
def mounted(path: Path, options: str):
    path.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not let us mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@needs_root
def test_a_full_disk_leaves_a_warning_and_no_rubbish(tmp_path):
    disk = tmp_path / "disk"
    with mounted(disk, "size=64k,mode=0755"):
        cache = DiskCache(disk / "cache")
        cache.put("kept", b"small")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for number in range(3):
                big = bytes(200_000)
                assert cache.get_or_build(f"big {number}", lambda big=big: big) == big
        (warning,) = caught
        assert os.strerror(errno.ENOSPC) in str(warning.message)
        assert len(list(cache.folder.iterdir())) == 1
        assert cache.get("kept") == b"small"


@needs_root
def test_a_read_only_disk_is_read_and_leaves_a_warning(tmp_path):
    disk = tmp_path / "disk"
    with mounted(disk, "size=64k,mode=0755"):
        DiskCache(disk / "cache").put("kept", b"value")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        cache = DiskCache(disk / "cache")
        assert cache.get("kept") == b"value"
        assert_works_without_cache(cache)


def test_a_limit_on_file_sizes_leaves_a_warning_and_no_rubbish(folder):
    assert_success(
        in_process(
            f"""
            import signal
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            folder = Path({str(folder)!r})
            assert_works_without_cache(DiskCache(folder))
            assert list(folder.iterdir()) == []
            """
        )
    )


# --- several processes


@pytest.mark.tier("default")
def test_a_writer_that_is_killed_leaves_old_value_or_new(folder):
    """Writers of 4 MB values are killed at many moments; a reader never sees a mixture."""
    writer = f"""
        cache = DiskCache(Path({str(folder)!r}))
        cache.put("key", b"a" * 4_000_000)
        print("ready", flush=True)
        while True:
            for letter in (b"a", b"b"):
                cache.put("key", letter * 4_000_000)
        """
    for moment in range(8):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from pathlib import Path\nfrom speedmetal.system.disk_cache import DiskCache\n"
                + textwrap.dedent(writer),
            ],
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(0.01 + 0.0037 * moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = DiskCache(folder).get("key")
        assert found in (b"a" * 4_000_000, b"b" * 4_000_000)


def test_dead_writers_files_are_removed_and_living_ones_kept(cache):
    cache.put("key", b"value")
    dead, alive = (cache.folder / f"{cache_module._TEMPORARY_PREFIX}{n}" for n in "12")
    for path in (dead, alive):
        path.write_bytes(b"part")
    os.utime(dead, (0, 0))
    cache_module._remove_least_recent(cache.folder, 1 << 20)
    assert not dead.exists()
    assert alive.exists()
    cache.clear()
    assert list(cache.folder.iterdir()) == [alive]


@pytest.mark.tier("default")
def test_processes_that_race_for_entries_all_get_right_values(folder):
    body = f"""
        import hashlib
        cache = DiskCache(Path({str(folder)!r}), limit_bytes=200_000)
        def value(n):
            return hashlib.sha256(str(n).encode()).digest() * 300
        for turn in range(40):
            for n in range(20):
                assert cache.get_or_build(f"key {{n}}", lambda: value(n)) == value(n)
            if turn % 20 == 19:
                cache.clear()
        """
    command = "from pathlib import Path\nfrom speedmetal.system.disk_cache import DiskCache\n"
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", command + textwrap.dedent(body)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        _, messages = process.communicate(timeout=120)
        assert (process.returncode, messages) == (0, "")


# --- size


def test_the_least_recently_used_entries_are_removed_first(folder):
    cache = DiskCache(folder, limit_bytes=50_000)
    now = time.time()
    for number in range(40):
        cache.put(f"key {number}", bytes(1000))
        os.utime(folder / cache_module._file_name(f"key {number}"), (now, now - 1e6 + number))
    assert cache.get("key 0") == bytes(1000)  # used just now, so no longer the oldest
    cache.put("large", bytes(20_000))
    total = sum(path.stat().st_size for path in folder.iterdir())
    assert total <= 50_000
    assert cache.get("large") == bytes(20_000)
    assert cache.get("key 0") == bytes(1000)
    kept = [number for number in range(1, 40) if cache.get(f"key {number}") is not None]
    assert kept == list(range(40 - len(kept), 40))
    assert kept


@given(sizes=st.lists(st.integers(0, 3000), max_size=200))
def test_the_size_stays_near_the_limit(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("size") / "cache"
    cache = DiskCache(folder, limit_bytes=20_000)
    for number, size in enumerate(sizes):
        cache.put(f"key {number}", bytes(size))
    total = sum(path.stat().st_size for path in folder.iterdir()) if sizes else 0
    # Small entries bring a clean-up along with one write in 32; large ones always.
    assert total <= 20_000 + 200 * 725


# --- which folder


@pytest.fixture
def environment(monkeypatch):
    for name in ("SPEEDMETAL_CACHE", "SPEEDMETAL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_variable_names_the_folder(environment, folder):
    environment.setenv("SPEEDMETAL_CACHE_DIR", str(folder))
    default_cache().put("key", b"value")
    assert DiskCache(folder).get("key") == b"value"


def test_the_switch_turns_the_cache_off(environment, folder):
    environment.setenv("SPEEDMETAL_CACHE_DIR", str(folder))
    environment.setenv("SPEEDMETAL_CACHE", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert default_cache().get_or_build("key", lambda: b"value") == b"value"
        assert default_cache().get("key") is None
        default_cache().clear()
    assert not folder.exists()


def test_the_folder_is_the_users_cache_folder(environment, tmp_path):
    environment.setenv("HOME", str(tmp_path))
    name = "Library/Caches" if sys.platform == "darwin" else ".cache"
    cache_module._cache.cache_clear()
    try:
        assert default_cache().folder == tmp_path / name / "speedmetal"
    finally:
        cache_module._cache.cache_clear()


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has one place")
def test_the_folder_is_where_the_user_keeps_caches(environment, tmp_path):
    environment.setenv("HOME", str(tmp_path))
    for stated, expected in (("/elsewhere", "/elsewhere"), ("relative", tmp_path / ".cache")):
        environment.setenv("XDG_CACHE_HOME", stated)
        cache_module._cache.cache_clear()
        try:
            assert default_cache().folder == Path(expected) / "speedmetal"
        finally:
            cache_module._cache.cache_clear()


def test_a_relative_folder_stays_the_same_when_the_process_moves(environment, tmp_path):
    environment.chdir(tmp_path)
    environment.setenv("SPEEDMETAL_CACHE_DIR", "relative")
    cache_module._cache.cache_clear()
    try:
        assert default_cache().folder == tmp_path / "relative"
    finally:
        cache_module._cache.cache_clear()
