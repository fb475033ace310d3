"""What arrays do not have is answered with what they have."""

import pytest

import speedmetal as sm

WHERE = "of arrays on NVIDIA GPUs whose dtype is not bfloat16, of which DLPack tells"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("clone", "; use x.copy()"),
        ("backward", "; there is no automatic differentiation"),
        ("exp", "; use sm.exp(x)"),
        ("sort", "; use sm.sort(x)"),
        ("nonsense", ""),
        ("__cuda_array_interface__", f"; it is there {WHERE}"),
    ],
)
def test_other_libraries_names_are_answered(name, advice):
    with pytest.raises(AttributeError) as caught:
        getattr(sm.ones(2), name)
    assert str(caught.value) == f"'Array' object has no attribute {name!r}{advice}"
