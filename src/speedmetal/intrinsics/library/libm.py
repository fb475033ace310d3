"""Functions of the C library, for float64 arguments that are too rare to be worth code of ours.

They are intrinsics without a public name. glibc states errors of at most 1 ULP for them ("The GNU C
Library Reference Manual", section "Known Maximum Errors in Math Functions").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.intrinsics.define import elementwise, spell_per_target
from speedmetal.intrinsics.record import Intrinsic, Unsupported
from speedmetal.intrinsics.reference import of_floats

_NO_DOUBLE = Unsupported("Metal GPUs have no float64")


def _function(name: str, reference: Callable[..., Any]) -> Intrinsic:
    return elementwise(
        f"libm_{name}",
        ("x",),
        f"The C library's {name}.",
        of_floats(reference),
        spell_per_target(f"llvm.{name}", name, _NO_DOUBLE),
        ulp=1,
    )


sin = _function("sin", np.sin)
cos = _function("cos", np.cos)
tan = _function("tan", np.tan)
