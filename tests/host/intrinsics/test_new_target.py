"""What a target that nobody has written spellings for is told."""

from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import Unsupported


def test_intrinsics_of_a_new_target_are_unsupported_until_they_are_spelled():
    spelling = TABLE["fma"].spelling("listing")
    assert spelling == Unsupported("its record has no spelling for it")
