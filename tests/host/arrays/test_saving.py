"""What is saved is loaded, by NumPy too; damaged files are told; old files outlive accidents."""

import io
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import speedmetal as sm
from speedmetal.dtypes import ALL
from tiers import examples

OF_NPY = [dtype for dtype in ALL if dtype.name != "bfloat16"]
OF_SAFETENSORS = [dtype for dtype in ALL if dtype.name != "complex128"]


@st.composite
def arrays(draw, dtypes):
    """Arrays of any dtype, shape and strides, also read-only, broadcast and lazy ones."""
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    bits = draw(st.randoms(use_true_random=False)).randbytes(int(np.prod(shape)) * dtype.itemsize)
    if dtype.is_bool:
        bits = bytes(byte & 1 for byte in bits)
    x = sm.array(np.frombuffer(bits, dtype.numpy).reshape(shape))
    axes = draw(st.permutations(range(x.ndim)))
    x = x.transpose(axes)
    x = x[tuple(slice(None, None, draw(st.sampled_from([1, 2, -1, -3]))) for _ in shape)]
    kind = draw(st.sampled_from(["stored", "broadcast", "lazy"]))
    if kind == "broadcast":
        return x.broadcast_to((2, *x.shape))
    return sm.where(x == 0, x, x[...]) if kind == "lazy" else x


def same(found, wanted):
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    one, other = (np.ascontiguousarray(x.numpy()).tobytes() for x in (found, wanted))
    assert one == other


@given(x=arrays(OF_NPY), mapped=st.booleans())
@settings(max_examples=examples(200), deadline=None)
def test_npy_files_are_read_as_they_were_written(x, mapped, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "x.npy"
    sm.save(path, x)
    found = sm.load(path, mmap=mapped)
    same(found, x)
    assert found.is_readonly is mapped
    assert np.load(path).tobytes() == x.numpy().tobytes()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), arrays(OF_SAFETENSORS)))
@settings(max_examples=examples(100), deadline=None)
def test_safetensors_are_read_as_they_were_written(tmp_path_factory, named):
    path = tmp_path_factory.getbasetemp() / "x.safetensors"
    named.pop("__metadata__", None)
    notes = {name: name for name in named}
    sm.save_safetensors(path, named, notes)
    for mapped in (False, True):
        found = sm.load(path, mmap=mapped)
        assert found.keys() == named.keys()
        assert found.metadata == notes
        for name, x in named.items():
            same(found[name], x)
            assert found[name].is_readonly is mapped


@given(st.lists(arrays(OF_NPY), max_size=3))
@settings(max_examples=examples(60), deadline=None)
def test_npz_files_are_read_as_they_were_written(tmp_path_factory, unnamed):
    path = tmp_path_factory.getbasetemp() / "x.npz"
    sm.savez(path, *unnamed, own=sm.ones(2))
    found = sm.load(path)
    assert found.keys() == {"own", *(f"arr_{place}" for place in range(len(unnamed)))}
    for place, x in enumerate(unnamed):
        same(found[f"arr_{place}"], x)
    with np.load(path) as archive:
        assert archive["own"].tolist() == [1, 1]


def test_what_numpy_writes_is_read(tmp_path):
    """Column-major, of foreign byte order, compressed."""
    host = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "f.npy", np.asfortranarray(host))
    np.save(tmp_path / "b.npy", host.astype(">f8"))
    np.savez_compressed(tmp_path / "z.npz", a=host)
    for mapped in (False, True):
        assert sm.load(tmp_path / "f.npy", mmap=mapped).tolist() == host.tolist()
        assert sm.load(tmp_path / "b.npy", mmap=mapped).tolist() == host.tolist()
    assert sm.load(tmp_path / "f.npy").strides == (8, 24)
    assert sm.load(tmp_path / "z.npz")["a"].tolist() == host.tolist()


def test_a_safetensors_file_is_what_the_format_says(tmp_path):
    """The bytes, by hand: wide elements first, and all of them aligned."""
    path = tmp_path / "x.safetensors"
    sm.save_safetensors(path, {"b": sm.array([1, 2, 3], "u8"), "a": sm.array([1.0], "bf16")})
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert (8 + length) % 8 == 0
    assert json.loads(data[8 : 8 + length]) == {
        "a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]},
        "b": {"dtype": "U8", "shape": [3], "data_offsets": [2, 5]},
    }
    assert data[8 + length :] == b"\x80\x3f\x01\x02\x03"


def test_a_mapped_array_shares_the_files_memory_and_outlives_its_replacement(tmp_path):
    path = tmp_path / "x.npy"
    sm.save(path, sm.arange(1000))
    x = sm.load(path, mmap=True)
    with path.open("r+b") as file:  # the same bytes: what is written there is seen here
        file.seek(-4, os.SEEK_END)
        file.write((7).to_bytes(4, "little"))
    assert x[-1].item() == 7
    with pytest.raises(sm.UserInputError, match="read-only"):
        x[0] = 1
    sm.save(path, x + 1)
    assert x[0].item() == 0
    assert sm.load(path)[0].item() == 1


def test_elements_at_odd_addresses_are_copied(tmp_path):
    header = {"a": ["U8", [1], [0, 1]], "b": ["F32", [2], [1, 9]]}
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_of(header, b"\x05" + np.float32([1, 2]).tobytes()))
    found = sm.load(path, mmap=True)
    assert found["b"].tolist() == [1, 2]
    assert (found["b"] * 2).tolist() == [2, 4]


def test_names_get_their_endings_and_open_files_are_taken(tmp_path):
    sm.save(tmp_path / "x", sm.ones(1))
    sm.savez(str(tmp_path / "y"), sm.ones(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.npz"]
    file = io.BytesIO(b"before")
    file.seek(0, os.SEEK_END)
    sm.save(file, [1, 2])
    file.seek(6)
    assert sm.load(file).tolist() == [1, 2]


def test_what_cannot_be_saved_is_told(tmp_path):
    half, wide = sm.ones(1, "bf16"), sm.ones(1, "c128")
    for function in (lambda: sm.save(tmp_path / "x", half), lambda: sm.savez(tmp_path / "x", half)):
        with pytest.raises(sm.UserInputError, match=r"the npy format has no bfloat16.*safetensors"):
            function()
    cases = {
        "safetensors has no complex128, the dtype of 'x'": ({"x": wide}, None),
        "the name '__metadata__' is the format's own": ({"__metadata__": half}, None),
        "names must be str, got 3": ({3: half}, None),
        "metadata must map str to str, got 'a': 1": ({"x": half}, {"a": 1}),
        "expected a dict of arrays, got Array": (half, None),
    }
    for message, arguments in cases.items():
        with pytest.raises(sm.UserInputError, match=message):
            sm.save_safetensors(tmp_path / "x", *arguments)
    with pytest.raises(sm.UserInputError, match="'arr_0' is the name of an array without a name"):
        sm.savez(tmp_path / "x", half, arr_0=half)
    assert not list(tmp_path.iterdir())


# --- Accidents -----------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """The system refuses to write more than 64 KiB."""
    writers = {
        "x.npy": sm.save,
        "x.npz": sm.savez,
        "x.safetensors": lambda path, x: sm.save_safetensors(path, {"x": x}),
    }
    for name, write in writers.items():
        write(tmp_path / name, sm.ones(3))
    before = {name: (tmp_path / name).read_bytes() for name in writers}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for name, write in writers.items():
        large = sm.ones(1 << 16)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
        try:
            with pytest.raises(OSError, match=r"large|written"):
                write(tmp_path / name, large)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_killed_process_leaves_the_old_file(tmp_path):
    """It dies when everything is written, but the name."""
    path = tmp_path / "x.npy"
    sm.save(path, sm.ones(3))
    program = (
        "import os, sys, speedmetal as sm\n"
        "os.fsync = lambda file: os.kill(os.getpid(), 9)\n"
        "sm.save(sys.argv[1], [2.0])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert sm.load(path).tolist() == [1, 1, 1]


def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "x.npy", tmp_path / "link.npy"
    sm.save(path, sm.ones(1))
    path.chmod(0o640)
    link.symlink_to(path)
    sm.save(link, sm.zeros(1))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sm.load(path).tolist() == [0]


# --- Damaged files -------------------------------------------------------------------------------


def safetensors_of(header, data=b"", length=None):
    """A file, whose header is bytes, or entries as lists of a dtype, a shape and offsets."""
    if isinstance(header, dict):
        keys = ("dtype", "shape", "data_offsets")
        facts = {
            name: dict(zip(keys, x, strict=True)) if isinstance(x, list) else x
            for name, x in header.items()
        }
        header = json.dumps(facts).encode()
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


F32 = ["F32", [2], [0, 8]]
DAMAGED_SAFETENSORS = {
    "has 3 bytes, but a safetensors file begins with 8 bytes": b"abc",
    "says that its header has 9000 bytes, but 2 follow": safetensors_of(b"{}", length=9000),
    "says that its header has 18446744073709551615 bytes": safetensors_of(b"{}", length=2**64 - 1),
    "has a header that is no JSON: ": safetensors_of(b"{'a': 1}"),
    "has a header that is no JSON: 'utf-8'": safetensors_of(b"{\xff}"),
    "has a header that is no JSON object: [1]": safetensors_of(b"[1]"),
    "has a header that is no JSON: maximum recursion": safetensors_of(b'{"a":' + b"[" * 200_000),
    "has the name 'a' twice in its header": safetensors_of(b'{"a":1,"a":2}'),
    'has metadata that is no object of texts: {"a": 1}': safetensors_of({"__metadata__": {"a": 1}}),
    "says of 'a' 3; expected dtype, shape and data_offsets": safetensors_of({"a": 3}),
    'says of \'a\' {"dtype": "F32"}; expected': safetensors_of({"a": {"dtype": "F32"}}),
    "says that 'a' has dtype \"F8_E4M3\"; known are BOOL, I8": safetensors_of(
        {"a": ["F8_E4M3", [1], [0, 1]]}, b"1"
    ),
    "says that 'a' has dtype [1]; known are BOOL": safetensors_of({"a": [[1], [1], [0, 1]]}, b"1"),
    "says that 'a' has shape [-1]": safetensors_of({"a": ["U8", [-1], [0, 1]]}, b"1"),
    "says that 'a' has shape [true]": safetensors_of({"a": ["U8", [True], [0, 1]]}, b"1"),
    "says that 'a' has data_offsets [8, 0]": safetensors_of({"a": ["F32", [2], [8, 0]]}, b"1" * 8),
    "says that 'a' has data_offsets [0]": safetensors_of({"a": ["F32", [2], [0]]}, b"1" * 8),
    "gives 'a' the 8 bytes 0 to 8, but F32 of shape (3,) takes 12": safetensors_of(
        {"a": ["F32", [3], [0, 8]]}, b"1" * 8
    ),
    "says that 'a' ends at byte 8 of the elements, but has only 7": safetensors_of(
        {"a": F32}, b"1" * 7
    ),
    "has 1 bytes behind its last array, which belong to nothing": safetensors_of(
        {"a": F32}, b"1" * 9
    ),
    "says that 'b' begins at byte 4 of the elements, which overlaps 'a'; expected 8": (
        safetensors_of({"a": F32, "b": ["F32", [2], [4, 12]]}, b"1" * 12)
    ),
    "says that 'a' begins at byte 4 of the elements, which leaves a gap behind the header": (
        safetensors_of({"a": ["F32", [2], [4, 12]]}, b"1" * 12)
    ),
    "has an array of shape (9223372036854775807, 0)": safetensors_of(
        {"a": ["F32", [2**63 - 1, 0], [0, 0]]}
    ),
    f"has an array of shape {(1,) * 70}": safetensors_of({"a": ["U8", [1] * 70, [0, 1]]}, b"1"),
}


def npy_of(host, **options):
    file = io.BytesIO()
    np.save(file, host, **options)
    return file.getvalue()


WHOLE = npy_of(np.ones(3, np.float32))
DAMAGED_NPY = {
    "has a damaged npy header: EOF: reading": WHOLE[:20],
    "has a damaged npy header: Cannot parse header": WHOLE.replace(b"{", b"("),
    "has version 3.0 of the npy format": b"\x93NUMPY\x03\x00" + WHOLE[8:],
    "has 11 bytes of elements, but float32 of shape (3,) takes 12: it was cut short": WHOLE[:-1],
    "has 13 bytes of elements, but float32 of shape (3,) takes 12: the others": WHOLE + b"1",
    "holds pickled Python objects": npy_of(np.array([{}], object), allow_pickle=True),
    "holds elements of <U2; supported are bool_, int8": npy_of(np.array(["ab"])),
    "has a damaged npy header: its shape is (-3,)": WHOLE.replace(b"(3,), ", b"(-3,),"),
}


def npz_of(method=zipfile.ZIP_STORED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


ARCHIVE = npz_of(a=WHOLE)
DAMAGED_NPZ = {
    "is a damaged .npz archive: File is not a zip file": ARCHIVE[:-30],
    "is a damaged .npz archive: Bad CRC-32 for file 'a.npy'": ARCHIVE.replace(
        b"\x00\x00\x80\x3f", b"\x00\x00\x80\x40", 1
    ),
    "has a member 'a.npy' that holds pickled": npz_of(a=npy_of(np.array([{}]), allow_pickle=True)),
    "has a member 'a.npy' that is compressed by method 14": npz_of(zipfile.ZIP_LZMA, a=WHOLE),
    "has a member 'a.npy' that has 11 bytes": npz_of(a=WHOLE[:-1]),
    "has a member 'a.npy' that has a damaged npy header": npz_of(a=b"text"),
}
OTHERS = {
    "is no .npy, .npz or .safetensors file: its 0 bytes begin with b''": b"",
    "is no .npy, .npz or .safetensors file: its 12 bytes begin": b"hello, world",
    "is no .npy, .npz or .safetensors file: its ": pickle.dumps(np.ones(3)),
}
DAMAGED = [
    *((".safetensors", *case) for case in DAMAGED_SAFETENSORS.items()),
    *((".npy", *case) for case in DAMAGED_NPY.items()),
    *((".npz", *case) for case in DAMAGED_NPZ.items()),
    *((".bin", *case) for case in OTHERS.items()),
]


@pytest.mark.parametrize(("suffix", "message", "content"), DAMAGED, ids=[x[1] for x in DAMAGED])
def test_damaged_files_are_told(suffix, message, content, tmp_path):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    for mapped in (False, True)[: 1 if suffix == ".npz" else 2]:
        with pytest.raises(sm.FileFormatError) as caught:
            sm.load(path, mmap=mapped)
        assert str(caught.value).startswith(f"{path} {message}")


@given(st.data())
@settings(max_examples=examples(400), deadline=None)
def test_no_damage_does_anything_but_raise(data):
    """Files with some bytes changed, added or cut off are read, or told to be damaged."""
    stored = io.BytesIO()
    sm.save_safetensors(stored, {"a": sm.ones(3), "b": sm.zeros(2, "u8")}, {"n": "m"})
    content = bytearray(data.draw(st.sampled_from([WHOLE, ARCHIVE, stored.getvalue()])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    with suppress(sm.FileFormatError):
        sm.load(io.BytesIO(bytes(content)))


def test_archives_and_open_files_are_not_mapped(tmp_path):
    sm.savez(tmp_path / "x.npz", a=sm.ones(1))
    with pytest.raises(sm.UserInputError, match=r"is an .npz archive, which cannot be memory-map"):
        sm.load(tmp_path / "x.npz", mmap=True)
    with pytest.raises(sm.UserInputError, match="mmap=True needs the path of a file"):
        sm.load(io.BytesIO(WHOLE), mmap=True)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder") as caught:
        sm.save(tmp_path / "none" / "x.npy", sm.ones(2))
    assert caught.value.filename == str(tmp_path / "none")
