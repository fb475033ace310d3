"""NumPy under other names: once more as it is, and slower by a known part of its work.

Frameworks for :mod:`aa_control`; each is found as ``"equal_numpy:NAME"`` with this folder on the
module path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Framework, Function
from speedmetal.bench.frameworks.numpy.adapter import NumPyAdapter

Cells = dict[str, Callable[[Params], Function]]


class Again(NumPyAdapter):
    """NumPy."""


def _slower(share: float) -> Cells:
    """NumPy's cells, with ``share`` of the rows of the first input computed a second time."""

    def slow(cell: Callable[[Params], Function]) -> Callable[[Params], Function]:
        def make(params: Params) -> Function:
            function = cell(params)

            def call(x: Any, *others: Any) -> Any:
                result = function(x, *others)
                function(x[: round(share * x.shape[0])], *others)
                return result

            return call

        return make

    return {name: slow(cell) for name, cell in NumPyAdapter.cells.items()}


class Slower5(NumPyAdapter):
    """5 % more work."""

    cells: ClassVar[Cells] = _slower(0.05)


class Slower10(NumPyAdapter):
    """10 % more work."""

    cells: ClassVar[Cells] = _slower(0.10)


class Slower30(NumPyAdapter):
    """30 % more work."""

    cells: ClassVar[Cells] = _slower(0.30)


def _framework(name: str, adapter: type[NumPyAdapter]) -> Framework:
    return Framework(
        name=f"equal_numpy:{name}",
        adapter=f"equal_numpy:{adapter.__name__}",
        packages=("numpy",),
        modes=("eager",),
        default_modes=("eager",),
    )


AGAIN = _framework("AGAIN", Again)
SLOWER_5 = _framework("SLOWER_5", Slower5)
SLOWER_10 = _framework("SLOWER_10", Slower10)
SLOWER_30 = _framework("SLOWER_30", Slower30)
