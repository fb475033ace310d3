"""Arrays of these tests are the CPU's, also on machines with a GPU, whose arrays would be its own.

What arrays do on every device is in `tests/conformance`.
"""

from collections.abc import Iterator

import pytest

import speedmetal as sm


@pytest.fixture(autouse=True)
def arrays_are_the_cpus() -> Iterator[None]:
    with sm.device("cpu"):
        yield
