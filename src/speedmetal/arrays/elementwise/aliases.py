"""Other libraries' names for words of the kernel language."""

from __future__ import annotations

from speedmetal.intrinsics import TABLE

absolute = TABLE["abs"]
arccos = TABLE["acos"]
arccosh = TABLE["acosh"]
arcsin = TABLE["asin"]
arcsinh = TABLE["asinh"]
arctan = TABLE["atan"]
arctan2 = TABLE["atan2"]
arctanh = TABLE["atanh"]
deg2rad = TABLE["radians"]
mod = TABLE["remainder"]
rad2deg = TABLE["degrees"]
