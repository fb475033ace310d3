"""Who takes part, who stands beside whom, and how a run's time is shared."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench.frameworks.base import Device, Framework
from speedmetal.bench.record import CaseSpec, Contender
from speedmetal.bench.runner import plan
from speedmetal.bench.runner.plan import Budget, crews, fitting, shares_of
from speedmetal.bench.runner.probe import Availability
from speedmetal.bench.runner.protocol import ArrayFile, Dataset
from speedmetal.errors import UnknownNameError, UserInputError

CONTENDERS = [Contender(framework=f"f{i}", device="cpu", mode="eager") for i in range(12)]
amounts = st.integers(min_value=0, max_value=1 << 40)


def availability(
    name: str,
    devices: tuple[str, ...] = ("cpu",),
    modes: tuple[str, ...] = ("eager", "compiled"),
    reason: str = "",
) -> Availability:
    framework = Framework(
        name=name, adapter="no:Adapter", packages=(), modes=modes, default_modes=("eager",)
    )
    return Availability(framework, "1.0", tuple(Device(d, d.upper()) for d in devices), reason)


# -- Contenders --------------------------------------------------------------------------------


def test_default_modes_are_taken_where_none_is_asked_for() -> None:
    """Proves that each framework gives its default modes on all its devices, with their names."""
    chosen = plan.choose_contenders([availability("a", ("cpu", "cuda")), availability("b")])
    assert [contender.key for contender in chosen] == ["a:cpu:eager", "a:cuda:eager", "b:cpu:eager"]
    assert (chosen[1].version, chosen[1].device_name) == ("1.0", "CUDA")


def test_modes_and_devices_that_are_asked_for_filter() -> None:
    """Proves that a framework takes part in those of the wanted modes that it has."""
    frameworks = [availability("a", ("cpu", "cuda")), availability("b", modes=("eager",))]
    chosen = plan.choose_contenders(frameworks, devices=["cpu"], modes=["eager", "compiled"])
    assert [contender.key for contender in chosen] == [
        "a:cpu:eager",
        "a:cpu:compiled",
        "b:cpu:eager",
    ]


def test_an_unknown_mode_is_named() -> None:
    """Proves the full text."""
    with pytest.raises(UnknownNameError) as caught:
        plan.check_modes([availability("a").framework], ["compile"])
    assert str(caught.value) == (
        "unknown mode 'compile'; did you mean compiled? Valid modes: compiled, eager"
    )


def test_an_absent_device_is_named_with_the_present_ones() -> None:
    """Proves the full text: devices are those found here, not all that exist."""
    with pytest.raises(UnknownNameError) as caught:
        plan.choose_contenders([availability("a", ("cpu", "mps"))], devices=["cuda"])
    assert str(caught.value) == ("unknown device 'cuda'; did you mean cpu? Valid devices: cpu, mps")


def test_nobody_left_is_told_with_all_reasons() -> None:
    """Proves the full text: why each framework does not take part."""
    frameworks = [
        availability("a", modes=("eager",)),
        availability("b", devices=(), reason="not installed; pip install b"),
    ]
    with pytest.raises(UserInputError) as caught:
        plan.choose_contenders(frameworks, modes=["compiled"])
    assert str(caught.value) == (
        "no framework can take part (a: has no mode compiled; b: not installed; pip install b)"
    )


@pytest.mark.parametrize(
    ("one", "devices", "modes", "reason"),
    [
        (availability("a"), (), (), ""),
        (availability("a", ("cpu", "mps")), ("mps",), ("compiled",), ""),
        (availability("a", modes=("eager",)), (), ("eager", "compiled"), ""),
        (availability("a", modes=("eager",)), ("cpu",), ("compiled",), "has no mode compiled"),
        (availability("a", modes=()), (), ("eager", "compiled"), "has no mode eager or compiled"),
        (availability("a"), ("cuda", "mps"), (), "has no device cuda or mps"),
        (availability("a", devices=()), (), (), "has no device"),
        (availability("a", reason="not installed"), ("cuda",), ("compiled",), "not installed"),
    ],
)
def test_why_a_framework_takes_no_part(
    one: Availability, devices: tuple[str, ...], modes: tuple[str, ...], reason: str
) -> None:
    """Proves each reason, that who has one of the wanted has none, and that the reason is given
    exactly where the choice leaves it out."""
    assert plan.why_absent(one, devices, modes) == reason
    everywhere = availability("other", ("cpu", "cuda", "mps"))
    chosen = plan.choose_contenders([everywhere, one], devices, modes)
    assert ("a" in {contender.framework for contender in chosen}) is not bool(reason)


# -- Memory ------------------------------------------------------------------------------------


@given(
    count=st.integers(min_value=0, max_value=12), inputs=amounts, outputs=amounts, available=amounts
)
def test_groups_keep_the_order_and_lose_nobody(
    count: int, inputs: int, outputs: int, available: int
) -> None:
    """Proves that the groups, one after the other, are the contenders, and that none is empty."""
    groups = plan.cohorts(CONTENDERS[:count], inputs, outputs, available)
    assert [contender for group in groups for contender in group] == CONTENDERS[:count]
    assert all(groups)


@given(inputs=amounts, outputs=amounts, available=amounts)
def test_groups_fit_into_memory(inputs: int, outputs: int, available: int) -> None:
    """Proves that whatever stands beside each other fits; only a group of one may be too large,
    as it cannot be divided."""
    for group in plan.cohorts(CONTENDERS, inputs, outputs, available):
        needed = len(group) * inputs + inputs + plan.WORKSPACE_FACTOR * outputs
        assert len(group) == 1 or needed <= plan.MEMORY_SHARE * available


@given(inputs=amounts, outputs=amounts, available=amounts, more=amounts)
def test_more_memory_never_makes_more_groups(
    inputs: int, outputs: int, available: int, more: int
) -> None:
    """Proves that the number of groups falls with memory."""
    few = plan.cohorts(CONTENDERS, inputs, outputs, available + more)
    many = plan.cohorts(CONTENDERS, inputs, outputs, available)
    assert len(few) <= len(many)


def _file(*shape: int) -> ArrayFile:
    return ArrayFile("x", "nowhere", "float32", list(shape))


def test_bytes_of_a_case() -> None:
    """Proves that inputs and outputs count in the case's own size of an element, and that a
    backward case holds a gradient of each input beside its cotangents."""
    forward = Dataset(1, inputs=[_file(3, 4), _file()], outputs=[_file(5)])
    assert (plan.input_bytes(forward, 2), plan.output_bytes(forward, 2)) == (26, 10)
    backward = Dataset(1, inputs=[_file(3, 4)], outputs=[], cotangents=[_file(5)])
    assert plan.output_bytes(backward, 4) == (12 + 5) * 4


# -- Time --------------------------------------------------------------------------------------


def test_without_a_budget_a_case_has_a_minute() -> None:
    """Proves that a run without a limit is never spent, and that its cases are bounded still."""
    budget = Budget(None, 240.0, time.monotonic() - 1e6)
    assert not budget.is_spent
    assert budget.case_seconds(1, 1000) == Budget.UNLIMITED_CASE_SECONDS
    assert budget.account().limit_seconds == 240.0


def test_a_budget_is_shared_among_the_cases_left() -> None:
    """Proves that a case gets its shares of what is left, two more being kept back, and a contender
    a quarter of it all."""
    budget = Budget(1000.0, 240.0, time.monotonic() - 900.0)
    assert budget.left_seconds == pytest.approx(100.0, abs=1.0)
    assert budget.case_seconds(1, 8) == pytest.approx(10.0, abs=0.1)
    assert budget.case_seconds(3, 8) == pytest.approx(30.0, abs=0.1)
    assert budget.account().limit_seconds == pytest.approx(25.0, abs=0.25)


def test_a_spent_budget_leaves_a_contender_a_second() -> None:
    """Proves that a case that has begun is given the time to fail with a reason."""
    budget = Budget(1.0, 240.0, time.monotonic() - 5.0)
    assert budget.is_spent
    assert budget.case_seconds(1, 1) < 0
    assert budget.account().limit_seconds == 1.0


@given(
    total=st.floats(min_value=1.0, max_value=1e6),
    shares=st.floats(min_value=1.0, max_value=8.0),
    others=st.floats(min_value=0.0, max_value=500.0),
    timeout=st.floats(min_value=1.0, max_value=1e4),
)
def test_no_share_exceeds_what_is_left(
    total: float, shares: float, others: float, timeout: float
) -> None:
    """Proves that no case and no contender is promised more than the run has."""
    budget = Budget(total, timeout, time.monotonic())
    assert budget.case_seconds(shares, shares + others) <= total
    assert budget.account().limit_seconds <= max(1.0, min(timeout, total))


def case_of_bytes(count: int, flops: int = 0) -> CaseSpec:
    return CaseSpec(
        operation="copy",
        title="Copy",
        family="data movement",
        arguments="",
        parameters={},
        bytes_minimum=count,
        flops=flops,
    )


def test_a_case_of_much_work_has_more_shares_up_to_a_limit() -> None:
    """Proves that bytes and operations both count, and that no case takes a run for itself."""
    assert shares_of(case_of_bytes(0)) == 1.0
    assert shares_of(case_of_bytes(plan.SHARE_BYTES)) == 2.0
    assert shares_of(case_of_bytes(plan.SHARE_BYTES, int(2 * plan.SHARE_FLOPS))) == 4.0
    assert shares_of(case_of_bytes(1 << 50)) == plan.MOST_SHARES


ON_CARD = Contender(framework="torch", device="cuda", mode="eager", card="GPU-1")
ON_PROCESSORS = Contender(framework="numpy", device="cpu", mode="eager")


@pytest.mark.parametrize(
    ("contenders", "cores", "gibibytes", "expected"),
    [
        ([ON_CARD] * 5, 16, 128, 4),
        ([ON_CARD] * 5, 16, 60, 3),
        ([ON_CARD] * 5, 16, 10, 1),
        ([ON_CARD] * 5, 8, 128, 2),
        ([ON_CARD] * 5, 2, 128, 1),
        ([ON_CARD, ON_PROCESSORS], 64, 512, 1),
    ],
)
def test_crews_are_as_many_as_cores_and_memory_allow(
    contenders: list[Contender], cores: int, gibibytes: int, expected: int
) -> None:
    """Proves the rule, and that who computes on processors is not disturbed by other cases."""
    assert crews(contenders, cores, gibibytes << 30) == expected


def test_cases_are_prepared_at_once_as_far_as_memory_reaches() -> None:
    """Proves that small cases fill all crews, that large ones take turns, and that one that is too
    large by itself is tried all the same."""
    small, large = case_of_bytes(1 << 10), case_of_bytes(1 << 30)
    assert fitting([small] * 9, 2, 4, 64 << 30) == 4
    assert fitting([small] * 2, 2, 4, 64 << 30) == 2
    assert fitting([large] * 9, 2, 4, 48 << 30) == 2
    assert fitting([large] * 9, 2, 4, 1 << 30) == 1


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        ([], ["a", "b"]),
        (["b"], ["b"]),
        (["torch:b"], ["b"]),
        (["torch:b", "a"], ["b"]),
        (["jax:b"], ["a", "b"]),
        (["jax:b", "a"], ["a"]),
        (["c"], []),
    ],
)
def test_modes_may_be_of_one_framework(modes: list[str], expected: list[str]) -> None:
    """Proves that a framework's own modes come before those of all, and its default ones after."""
    torch = Framework(
        name="torch", adapter="", packages=(), modes=("a", "b"), default_modes=("a", "b")
    )
    assert list(plan.modes_of(torch, modes)) == expected
