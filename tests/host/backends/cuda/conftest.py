"""Printed text that runs on the host (`cuda_on_the_host`), in the place of NVRTC's machine code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cuda_on_the_host import HostCode
from speedmetal.backends.cuda.driver import build


@pytest.fixture(scope="module")
def host() -> Iterator[HostCode]:
    """What compiles instead of NVRTC; each text once for all tests of a module."""
    code = HostCode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "compile_cubin", code.compile_cubin)
        yield code
