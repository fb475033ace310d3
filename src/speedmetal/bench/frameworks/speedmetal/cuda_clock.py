"""The time between two places in the library's stream on an NVIDIA GPU, by CUDA's events."""

from __future__ import annotations

from speedmetal.backends.cuda.driver.device import CudaDevice
from speedmetal.backends.cuda.driver.markers import Marker, Markers
from speedmetal.bench.frameworks.base import DeviceClock


class CudaClock(DeviceClock):
    """Events on the stream in which the library does everything.

    Args:
        device: Whose stream.
    """

    def __init__(self, device: CudaDevice) -> None:
        self._device = device
        self._markers = Markers(device.context)
        self._start: Marker | None = None

    def start(self) -> None:
        self._start = self._mark()

    def stop_nanoseconds(self) -> int:
        assert self._start is not None, "a clock was stopped before it was started"
        stop = self._mark()
        self._device.synchronize()
        with self._device.context:
            return round(stop.seconds_since(self._start) * 1e9)

    def _mark(self) -> Marker:
        stream = self._device.stream
        stream.flush()  # what it may hold back comes before the mark
        with self._device.context:
            marker = self._markers.take(is_timed=True)
            marker.record(stream.native)
        return marker
