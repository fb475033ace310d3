"""Writes pictures and animations as PNG files, with nothing but NumPy and the standard library.

Animations are APNG, which every browser plays and every other viewer shows as the first frame.
Format: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from pathlib import Path

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BITS_OF_CHANNEL = 8
GREY, COLOUR = 0, 2
HEAT = ((0, 0, 0), (87, 15, 109), (187, 55, 84), (249, 142, 8), (252, 255, 164))
"""Black, violet, red, orange, pale yellow: dark to bright for colour-blind eyes, too."""


def colours(values: np.ndarray, low: float, high: float, palette: tuple = HEAT) -> np.ndarray:
    """Colours of numbers from ``low`` to ``high``: ``(..., )`` to uint8 ``(..., 3)``."""
    anchors = np.linspace(low, high, len(palette))
    channels = [np.interp(values, anchors, channel) for channel in np.transpose(palette)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def write_png(path: str | Path, pixels: np.ndarray) -> None:
    """Write one picture: uint8, ``(height, width)`` grey or ``(height, width, 3)`` in colour."""
    write_animation(path, [pixels])


def write_animation(path: str | Path, frames: list[np.ndarray], seconds: float = 0.08) -> None:
    """Write frames of one shape, each shown for so many seconds, over and over."""
    height, width = frames[0].shape[:2]
    kind = COLOUR if frames[0].ndim == 3 else GREY
    chunks = [_chunk(b"IHDR", struct.pack(">2I5B", width, height, BITS_OF_CHANNEL, kind, 0, 0, 0))]
    if len(frames) > 1:
        chunks.append(_chunk(b"acTL", struct.pack(">2I", len(frames), 0)))
    sequence = 0  # control and data of the later frames are numbered through
    for number, frame in enumerate(frames):
        data = _compress_rows(frame)
        if len(frames) > 1:
            control = struct.pack(">5I2H2B", sequence, width, height, 0, 0, *_delay(seconds), 0, 0)
            chunks.append(_chunk(b"fcTL", control))
            sequence += 1
        if number == 0:
            chunks.append(_chunk(b"IDAT", data))
        else:
            chunks.append(_chunk(b"fdAT", struct.pack(">I", sequence) + data))
            sequence += 1
    Path(path).write_bytes(SIGNATURE + b"".join(chunks) + _chunk(b"IEND", b""))


def _delay(seconds: float) -> tuple[int, int]:
    return round(1000 * seconds), 1000


def _compress_rows(frame: np.ndarray) -> bytes:
    rows = frame.astype(np.uint8).reshape(len(frame), -1)
    unfiltered = np.zeros((len(rows), 1), np.uint8)  # each row starts with its filter: none
    return zlib.compress(np.hstack([unfiltered, rows]).tobytes(), 9)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
