"""Images run as LLVM's own linker would have it, and nothing damaged is ever mapped."""

from __future__ import annotations

import ctypes
import mmap
import platform
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.backends.cpu import image as image_module
from speedmetal.backends.cpu.image import CAN_MAP, Image, MappedImage, is_image, unpack_image
from speedmetal.backends.cpu.jit import compile_object, load, prepare_for_loading
from speedmetal.backends.cpu.linker import UnknownObjectError, link
from speedmetal.errors import InternalError
from speedmetal.system.disk_cache import DiskCache, default_cache

pytestmark = pytest.mark.skipif(
    not CAN_MAP or platform.machine() != "x86_64",
    reason="images are made for Linux on x86-64; elsewhere LLVM links objects",
)

# Code, constants, variables that begin as something and as 0, addresses of all kinds of places.
EVERYTHING = """
@table = internal constant [4 x i32] [i32 3, i32 1, i32 4, i32 1]
@steps = internal constant [2 x ptr] [ptr @plus, ptr @minus]
@outer = internal constant [2 x ptr] [ptr @labs, ptr @abs]
@count = internal global i64 7
@zeros = internal global [5000 x i64] zeroinitializer
@place = internal global ptr getelementptr (i32, ptr @table, i64 2)
@known = global i64 5
declare i64 @labs(i64)
declare i32 @abs(i32)
declare ptr @memset(ptr, i32, i64)
define internal i64 @plus(i64 %x) { %r = add i64 %x, 1 ret i64 %r }
define internal i64 @minus(i64 %x) { %r = sub i64 %x, 1 ret i64 %r }
define i64 @stepped(i64 %which, i64 %x) {
  %p = getelementptr [2 x ptr], ptr @steps, i64 0, i64 %which
  %f = load volatile ptr, ptr %p
  %r = call i64 %f(i64 %x)
  ret i64 %r
}
define i64 @positive(i64 %x) {
  %f = load volatile ptr, ptr @outer
  %r = call i64 %f(i64 %x)
  %s = call i64 @labs(i64 %r)
  ret i64 %s
}
define i64 @counted() {
  %v = load volatile i64, ptr @count
  %z = load volatile i64, ptr getelementptr ([5000 x i64], ptr @zeros, i64 0, i64 4999)
  %k = load volatile i64, ptr @known
  %n = add i64 %v, 1
  store volatile i64 %n, ptr @count
  %m = add i64 %z, 100
  store volatile i64 %m, ptr getelementptr ([5000 x i64], ptr @zeros, i64 0, i64 4999)
  %s = add i64 %n, %m
  %r = add i64 %s, %k
  ret i64 %r
}
define i32 @pointed() {
  %p = load volatile ptr, ptr @place
  %r = load i32, ptr %p
  ret i32 %r
}
define i64 @filled(i64 %size) {
  %q = call ptr @memset(ptr @zeros, i32 1, i64 %size)
  %r = load volatile i64, ptr @zeros
  ret i64 %r
}
define i64 @chosen(i64 %x) {
  switch i64 %x, label %other [i64 0, label %a i64 1, label %b i64 2, label %c i64 3, label %d
                               i64 4, label %e i64 5, label %f]
a:
  %ra = call i64 @plus(i64 10)
  ret i64 %ra
b:
  %rb = call i64 @minus(i64 20)
  ret i64 %rb
c:
  %rc = call i64 @labs(i64 -31)
  ret i64 %rc
d:
  ret i64 43
e:
  %re = call i64 @counted()
  ret i64 %re
f:
  %rf = call i64 @filled(i64 %x)
  ret i64 %rf
other:
  ret i64 -1
}
"""
CALLS = [
    *(("stepped", which, x) for which in (0, 1) for x in (0, 5)),
    *(("positive", x) for x in (-3, 4)),
    *[("counted",)] * 3,
    ("pointed",),
    ("filled", 3),
    *(("chosen", x) for x in range(7)),
]
NAMES = tuple(dict.fromkeys(name for name, *_ in CALLS))


@pytest.fixture(scope="module")
def compiled() -> bytes:
    return compile_object(EVERYTHING)


@pytest.fixture(scope="module")
def image(compiled: bytes) -> Image:
    return link(compiled)


def _results(code: bytes) -> list[int]:
    loaded = load(code, *NAMES)
    found = []
    for name, *arguments in CALLS:
        function = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))
        found.append(function(loaded.address(name))(*arguments) & 0xFFFF_FFFF)
    return found


def test_an_image_computes_what_llvms_linker_makes_of_the_object(compiled: bytes) -> None:
    code = prepare_for_loading(compiled)
    assert is_image(code)
    assert _results(code) == _results(compiled)


def test_each_mapping_has_its_own_variables(compiled: bytes) -> None:
    code = prepare_for_loading(compiled)
    assert _results(code) == _results(code)


def test_the_test_program_has_pointers_of_both_kinds_and_variables(image: Image) -> None:
    """Or the tests above and below would prove less than they say."""
    assert {name for _, name in image.pointers} == {"labs", "abs", "memset"}
    assert image.inner
    assert image.variables
    assert image.zeros >= 40_000


def test_an_image_is_the_same_after_packing(image: Image) -> None:
    assert unpack_image(image.pack()) == image


def test_no_page_is_both_written_and_run(image: Image) -> None:
    mapped = MappedImage(image)
    start = mapped.address("stepped") - image.symbols["stepped"]
    rights: dict[int, str] = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        low, high, right = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
        for page in range(int(low, 16), int(high, 16), mmap.PAGESIZE):
            if start <= page < start + image.end:
                rights[page - start] = right[:3]
    parts = {
        "r-x": range(image.constants_start),
        "r--": range(image.constants_start, image.variables_start),
        "rw-": range(image.variables_start, image.end),
    }
    assert all(parts.values())
    assert rights == {
        page: right for right, part in parts.items() for page in part if page % mmap.PAGESIZE == 0
    }


# --- Damage ----------------------------------------------------------------------------------


def _with(image: Image, **changes: object) -> bytes:
    fields = {name: getattr(image, name) for name in image.__match_args__}
    return Image(**{**fields, **changes}).pack()


DAMAGES = {
    "cut": lambda image: image.pack()[:-1],
    "longer": lambda image: image.pack() + b"\0",
    "without its code": lambda image: image.pack().partition(b"\n\n")[0],
    "no code": lambda image: _with(image, code=b"", symbols={}),
    "another version": lambda image: image.pack().replace(b"image 1 ", b"image 2 ", 1),
    "an unknown word": lambda image: image.pack().replace(b"symbol ", b"sombol ", 1),
    "no number": lambda image: image.pack().replace(b"pointer ", b"pointer x", 1),
    "a number below 0": lambda image: _with(image, zeros=-1),
    "a page of another size": lambda image: _with(image, page=mmap.PAGESIZE // 2),
    "no page": lambda image: _with(image, page=0),
    "half a page more": lambda image: _with(image, page=mmap.PAGESIZE * 3 // 2),
    "endless variables": lambda image: _with(image, zeros=1 << 40),
    "a function behind the code": lambda image: _with(image, symbols={"f": len(image.code)}),
    "a pointer in the code": lambda image: _with(image, pointers=((0, "labs"),)),
    "a pointer behind the constants": lambda image: _with(
        image, pointers=((image.constants_start + len(image.constants) - 7, "labs"),)
    ),
    "a pointer behind it all": lambda image: _with(image, inner=((image.end, 0),)),
    "an address behind it all": lambda image: _with(
        image, inner=((image.constants_start, image.end),)
    ),
    "a name with a blank": lambda image: _with(image, pointers=((image.constants_start, "la bs"),)),
    "a name that is no text": lambda image: image.pack().replace(b"labs", b"la\xffs"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_image_is_refused(image: Image, damage: str) -> None:
    with pytest.raises(InternalError, match="cpu link: "):
        load(DAMAGES[damage](image), *NAMES)


def test_whatever_the_text_says_it_is_an_image_within_its_bounds_or_none(image: Image) -> None:
    """Each character of the text, replaced by others."""
    packed = image.pack()
    refused = 0
    for place in range(packed.index(b"\n\n") + 2):
        for other in b"0 9\nx-\xff":
            try:
                found = unpack_image(packed[:place] + bytes([other]) + packed[place + 1 :])
            except InternalError:
                refused += 1
                continue
            writable = found.end - found.constants_start
            for at, _ in (*found.pointers, *found.inner):
                assert 0 <= at - found.constants_start <= writable - 8
            assert max(found.symbols.values(), default=0) < len(found.code)
    assert refused > 100


def test_a_function_that_nobody_has_is_named(image: Image) -> None:
    code = _with(image, pointers=((image.constants_start, "nobody_has_this"),))
    with pytest.raises(InternalError, match="nobody has nobody_has_this"):
        load(code, *NAMES)


def test_a_function_that_the_image_lacks_is_named(compiled: bytes) -> None:
    with pytest.raises(InternalError, match="no sm_entry"):
        load(prepare_for_loading(compiled))


def test_a_system_that_refuses_code_in_memory_is_told(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_module, "_mprotect", lambda *_: -1)
    with pytest.raises(InternalError, match="mprotect refuses"):
        MappedImage(image)


def test_a_damaged_entry_on_disk_is_built_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its checksum is right: somebody wrote it so."""
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    kept: dict[str, bytes] = {}
    put = DiskCache.put

    def note(cache: DiskCache, key: str, value: bytes) -> None:
        kept[key] = value
        put(cache, key, value)

    monkeypatch.setattr(DiskCache, "put", note)

    def run() -> None:
        @sm.kernel
        def twice(a):
            i = sm.thread_position_in_grid().x
            a[i] = 2 * a[i]

        numbers = np.arange(5, dtype=np.float32)
        twice(numbers, grid=5, device="cpu")
        np.testing.assert_array_equal(numbers, [0, 2, 4, 6, 8])

    run()
    ((key, right),) = kept.items()
    assert image_module.MAGIC in right
    run()  # the same entry
    assert len(kept) == 1
    for wrong in (right[:-3], right.replace(b"symbol sm_entry 0", b"symbol sm_entry 9999999")):
        put(default_cache(), key, wrong)
        kept.clear()
        run()
        assert kept == {key: right}


# --- What is not linked ----------------------------------------------------------------------

UNLINKED = {
    "variables of each thread": """@v = thread_local global i32 5
        define i32 @f() { %r = load i32, ptr @v ret i32 %r }""",
    "code that runs at the start": """
        @llvm.global_ctors = appending global [1 x { i32, ptr, ptr }]
            [{ i32, ptr, ptr } { i32 1, ptr @g, ptr null }]
        @v = global i32 0
        define void @g() { store volatile i32 5, ptr @v ret void }
        define i32 @f() { ret i32 5 }""",
    "variables of the process": """@environ = external dso_local global i32
        define i32 @f() { %r = load i32, ptr @environ ret i32 %r }""",
}


@pytest.mark.parametrize("what", UNLINKED)
def test_what_is_not_known_stays_an_object(what: str) -> None:
    compiled = compile_object(UNLINKED[what])
    with pytest.raises(UnknownObjectError):
        link(compiled)
    assert prepare_for_loading(compiled) == compiled


def test_an_unknown_relocation_is_left_to_llvm(compiled: bytes) -> None:
    """The number of a kind that only other compilers use, in place of a distance's."""
    known = struct.pack("<I", 2)
    at = compiled.index(known + struct.pack("<I", _symbol_of_a_distance(compiled)))
    changed = compiled[:at] + struct.pack("<I", 12) + compiled[at + 4 :]
    with pytest.raises(UnknownObjectError, match="the relocation 12"):
        link(changed)
    assert prepare_for_loading(changed) == changed


def _symbol_of_a_distance(compiled: bytes) -> int:
    from speedmetal.backends.cpu import linker

    sections, _ = linker._parse_object(compiled)
    return next(r[2] for s in sections for r in s.relocations if r[1] == 2)


def test_objects_that_are_cut_or_altered_are_linked_or_refused(compiled: bytes) -> None:
    generator = np.random.default_rng(1)
    refused = 0
    damaged = [compiled[:size] for size in range(0, len(compiled), 7)]
    for _ in range(2000):
        changed = bytearray(compiled)
        for place in generator.integers(0, len(compiled), 3):
            changed[place] = generator.integers(256)
        damaged.append(bytes(changed))
    for each in damaged:
        try:
            link(each)
        except UnknownObjectError:
            refused += 1
    assert refused > len(damaged) // 4


def test_what_the_system_cannot_map_stays_an_object(
    compiled: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speedmetal.backends.cpu.jit.CAN_MAP", False)
    assert prepare_for_loading(compiled) == compiled
    assert sys.platform == "linux"
