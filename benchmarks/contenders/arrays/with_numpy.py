"""NumPy's arrays: each operation makes its result; one thread but for BLAS."""

from __future__ import annotations

from side_by_side.array_cases import NUMPY
from side_by_side.contender import Table

from contenders.arrays import table
from contenders.with_numpy import returns

TABLE: Table = table(NUMPY, {"": returns})
