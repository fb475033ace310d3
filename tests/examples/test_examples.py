"""Every example runs as a user would run it, on small sizes, and its own checks hold."""

import os
import runpy
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import speedmetal as sm

EXAMPLES = Path(__file__).parents[2] / "examples"
MODULES = {"picture"}
"""What examples import; not run by itself."""

RUNS = {
    "black_scholes": ("--options", "3001"),
    "digits": ("--filters", "16"),
    "fast_matmul": ("--size", "64"),
    "game_of_life": ("--size", "40", "--frames", "12"),
    "gpt2_block": ("--length", "9", "--width", "16", "--heads", "2"),
    "heat_equation": ("--size", "50", "--frames", "4"),
    "k_means": ("--points", "3001", "--clusters", "4"),
    "image_filters": ("--size", "45"),
    "heat_cube": ("--size", "17", "--steps", "5"),
    "histogram": ("--size", "100003", "--groups", "5"),
    "life_in_arrays": ("--size", "40", "--frames", "12"),
    "mandelbrot": ("--width", "90"),
    "matmul": ("--size", "64"),
    "metal_jl_tour": ("--size", "1001"),
    "n_body": ("--bodies", "200", "--steps", "5"),
    "option_pricing": ("--paths", "3001", "--steps", "12"),
    "page_rank": ("--pages", "301", "--links", "3"),
    "random_walks": ("--walkers", "500", "--steps", "50", "--size", "60"),
    "reduction": ("--size", "100003"),
    "scan": ("--size", "100003"),
    "softmax": ("--rows", "7", "--columns", "1000"),
    "transpose": ("--rows", "70", "--columns", "101"),
    "tuning": ("--size", "100"),
    "vector_add": ("--size", "1001"),
    "wave_equation": ("--size", "50", "--frames", "4"),
}
"""Sizes for each example: small, and such that the last threadgroup is not full."""

FRAMES = {
    "game_of_life": 12,
    "heat_equation": 4,
    "image_filters": 1,
    "mandelbrot": 1,
    "random_walks": 1,
    "wave_equation": 4,
}
"""Examples that write a picture, and its number of frames."""


def test_every_example_is_run() -> None:
    """An example that is added has to be added here."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} - MODULES == set(RUNS)


@pytest.mark.parametrize("debug", ["0", "2"])
@pytest.mark.parametrize("name", sorted(RUNS))
def test_example_runs_and_checks_itself(name: str, debug: str, tmp_path: Path) -> None:
    """Status 0, something said, and a picture with its frames where one is promised.

    At debug level 2 as well: no index is out of bounds, and every thread reaches every barrier.
    """
    picture = tmp_path / "picture.png"
    out = ("--out", str(picture)) if name in FRAMES else ()
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *RUNS[name], *out]
    environment = {**os.environ, "PYTHONWARNINGS": "error", "SPEEDMETAL_DEBUG": debug}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not done.stderr
    if name in FRAMES:
        frames = decoded(picture.read_bytes())
        assert len(frames) == FRAMES[name]
        assert all(len(np.unique(frame)) > 1 for frame in frames)


def test_pictures_are_what_was_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the file back gives the pixels, grey and coloured, of one frame and of several."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import picture

    generator = np.random.default_rng(0)
    for shape in ((5, 7), (5, 7, 3)):
        frames = [generator.integers(0, 256, shape, np.uint8) for _ in range(3)]
        for count in (1, 3):
            picture.write_animation(tmp_path / "a.png", frames[:count], seconds=0.25)
            found = decoded((tmp_path / "a.png").read_bytes())
            np.testing.assert_array_equal(found, frames[:count])


def test_colours_go_from_dark_to_bright(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ends of the palette stand for the ends of the range, and for what lies beyond."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import picture

    pixels = picture.colours(np.array([[-1.0, 0.0, 2.0, 9.0]]), 0.0, 2.0)
    assert pixels.tolist() == [[[0, 0, 0], [0, 0, 0], [252, 255, 164], [252, 255, 164]]]


@pytest.mark.parametrize("name", sorted(RUNS))
def test_example_runs_on_the_simulated_apple_gpu(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same program inside ``with sm.device("metal-sim")``; its own checks hold there, too."""
    try:
        simulated = sm.device("metal-sim")
    except sm.DeviceError as error:
        pytest.skip(str(error))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [name, *RUNS[name]])
    before = simulated.memory_info().allocations
    with simulated:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        sm.synchronize()
    assert simulated.memory_info().allocations > before


def decoded(data: bytes) -> list[np.ndarray]:
    """The frames of an (animated) PNG file, read from the format's description."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width = height = channels = 0
    frames: list[np.ndarray] = []
    promised, sequence = 1, []
    for name, content in chunks(data[8:]):
        if name == b"IHDR":
            width, height, depth, kind, *_ = struct.unpack(">2I5B", content)
            assert depth == 8
            channels = {0: 1, 2: 3}[kind]
        elif name == b"acTL":
            promised = struct.unpack(">2I", content)[0]
        elif name == b"fcTL":
            sequence.append(content[:4])
            assert struct.unpack(">4I", content[4:20]) == (width, height, 0, 0)
        elif name in {b"IDAT", b"fdAT"}:
            if name == b"fdAT":
                sequence.append(content[:4])
            raw = np.frombuffer(zlib.decompress(content[4 * (name == b"fdAT") :]), np.uint8)
            rows = raw.reshape(height, 1 + width * channels)
            assert not rows[:, 0].any()  # no filter
            frames.append(rows[:, 1:].reshape(height, width, channels).squeeze())
    assert len(frames) == promised
    assert [int.from_bytes(number) for number in sequence] == list(range(len(sequence)))
    return frames


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Names and contents, with their checksums checked; the last must be the end."""
    found = []
    while data:
        (length,) = struct.unpack(">I", data[:4])
        name, content = data[4:8], data[8 : 8 + length]
        assert zlib.crc32(name + content) == struct.unpack(">I", data[8 + length : 12 + length])[0]
        found.append((name, content))
        data = data[12 + length :]
    assert found[-1] == (b"IEND", b"")
    return found
