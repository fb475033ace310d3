"""Printed text that runs on the host (`cuda_on_the_host`), in the place of NVRTC's machine code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cuda_machine import DryDriver
from cuda_on_the_host import HostCode
from speedmetal.backends.cuda.driver import build
from speedmetal.launch.waiting import WAITING


@pytest.fixture(scope="module")
def host() -> Iterator[HostCode]:
    """What compiles instead of NVRTC; each text once for all tests of a module."""
    code = HostCode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "compile_cubin", code.compile_cubin)
        yield code


@pytest.fixture
def driver(host: HostCode) -> DryDriver:
    """The stand-in for NVIDIA's driver, whose kernels run on the host, as they are asked for."""
    made = DryDriver()
    made.on_launch, made.untold = host.run, ()
    return made


@pytest.fixture
def nobody_waits() -> None:
    """No lazy array of other tests is left, at which a launch would have to look in Python."""
    WAITING.clear()
