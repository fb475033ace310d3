"""The errors of the simulator's compiler, where programs that catch them have always found them."""

from __future__ import annotations

from speedmetal.msl.diagnostics import MslDiagnostic, MslError

__all__ = ["MslDiagnostic", "MslError"]
