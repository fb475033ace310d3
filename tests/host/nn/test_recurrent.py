"""Recurrent layers against their formulas in double precision, and against PyTorch's layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.bench.operations.recurrent import OPERATIONS
from tiers import examples

GATES = {"lstm": 4, "gru": 3}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, states, parameters):
    """The formula of `lstm_cell`, in float64."""
    names = ("input_weight", "hidden_weight", "input_bias", "hidden_bias")
    given_ = {
        "x": x,
        "hidden": states[0],
        "cell": states[1],
        **dict(zip(names, parameters, strict=True)),
    }
    return OPERATIONS[0].reference({}, given_)


def gru_step(x, states, parameters):
    (h,), (wx, wh, bx, bh) = states, parameters
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (
        np.split(side, 3, axis=-1) for side in (x @ wx.T + bx, h @ wh.T + bh)
    )
    update = sigmoid(x_z + h_z)
    return ((1 - update) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n) + update * h,)


STEPS = {"lstm": lstm_step, "gru": gru_step}


def scan(kind, x, layers, states, directions):
    """Layers over ``(time, batch, features)``, step by step: outputs and the last states."""
    ends = []
    for first in range(0, len(layers), directions):
        ways = []
        for way in range(directions):
            state = tuple(each[first + way] for each in states)
            found = np.zeros((*x.shape[:2], state[0].shape[-1]))
            for step in range(len(x))[:: -1 if way else 1]:
                state = STEPS[kind](x[step], state, layers[first + way])
                found[step] = state[0]
            ways.append(found)
            ends.append(state)
        x = np.concatenate(ways, axis=-1)
    return x, tuple(np.stack(each) for each in zip(*ends, strict=True))


def without_biases(parameters):
    """The parameters of a formula whose biases are 0."""
    wx, wh, *_ = parameters
    return (wx, wh, np.zeros(len(wx)), np.zeros(len(wh)))


def close(found, expected, dtype=np.float32):
    assert found.dtype == dtype
    assert found.shape == expected.shape
    tolerance = {2: 4e-3, 4: 2e-5, 8: 1e-13}[np.dtype(dtype).itemsize]
    np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


def parameters_of(generator, gates, features, hidden, dtype=np.float32):
    shapes = (gates * hidden, features), (gates * hidden, hidden), (gates * hidden,)
    return tuple(
        (generator.standard_normal(shape) / 2).astype(dtype) for shape in (*shapes, shapes[2])
    )


# --- Cells ---------------------------------------------------------------------------------------


@st.composite
def cells(draw):
    """A kind, a dtype, sizes, whether there are biases, and whether arrays lie in C order."""
    sizes = st.sampled_from([1, 2, 3, 5, 17, 33])
    return (
        draw(st.sampled_from(["lstm", "gru"])),
        draw(st.sampled_from([np.float32, np.float64, np.float16])),
        (draw(st.sampled_from([0, 1, 2, 3, 17, 40])), draw(sizes), draw(sizes)),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@given(cells())
@settings(max_examples=examples(60), deadline=None)
def test_cells_are_their_formulas(case):
    kind, dtype, (batch, features, hidden), has_biases, is_turned = case
    generator = np.random.default_rng(features)

    def normal(*shape):
        host = generator.standard_normal(shape[::-1] if is_turned else shape).astype(dtype)
        return host.T if is_turned else host

    x, states = normal(batch, features), [normal(batch, hidden) for _ in range(2)]
    parameters = parameters_of(generator, GATES[kind], features, hidden, dtype)
    if kind == "gru":
        del states[1]
    given_ = parameters if has_biases else parameters[:2]
    state = tuple(map(sm.asarray, states))
    function = getattr(sm.nn, f"{kind}_cell")
    found = function(sm.asarray(x), state if kind == "lstm" else state[0], *given_)
    wide = [part.astype("f8") for part in parameters]
    expected = STEPS[kind](
        x.astype("f8"),
        [each.astype("f8") for each in states],
        wide if has_biases else without_biases(wide),
    )
    for one, other in zip(found if kind == "lstm" else (found,), expected, strict=True):
        close(one, other, dtype)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("count", [2, 4])
def test_simple_cells_are_their_formula(activation, count):
    generator = np.random.default_rng(0)
    x, h = generator.standard_normal((3, 5)), generator.standard_normal((3, 4))
    wx, wh, bx, bh = parameters_of(generator, 1, 5, 4, np.float64)
    total = x @ wx.T + h @ wh.T + (bx + bh if count == 4 else 0)
    expected = np.tanh(total) if activation == "tanh" else np.maximum(total, 0)
    given_ = (wx, wh, bx, bh)[:count]
    found = sm.nn.rnn_cell(sm.asarray(x), h, *given_, activation=activation)
    close(found, expected, np.float64)


def test_gates_that_are_full_or_shut_do_not_overflow():
    """Sums of 1e5 and of -1e5 open and shut gates wholly, and tanh is 1 or -1."""
    for sign in (-1.0, 1.0):
        x, one = sm.full((2, 1), sign * 1e5), sm.ones((2, 3))
        wide, none = sm.ones((12, 1)), sm.zeros((12, 3))
        h, c = sm.nn.lstm_cell(x, (one, one), wide, none)
        assert c.tolist() == [[2.0 if sign > 0 else 0.0] * 3] * 2
        np.testing.assert_allclose(h.numpy(), np.tanh(2.0) if sign > 0 else 0.0, rtol=1e-6)
        assert (
            sm.nn.gru_cell(x, 2 * one, wide[:9], none[:9]).tolist()
            == [[2.0 if sign > 0 else -1.0] * 3] * 2
        )


def test_nan_stays_in_its_row():
    x = sm.array([[float("nan")], [0.0]])
    zeros = sm.zeros((2, 3))
    h, c = sm.nn.lstm_cell(x, (zeros, zeros), sm.ones((12, 1)), sm.ones((12, 3)))
    for found in (
        h.numpy(),
        c.numpy(),
        sm.nn.gru_cell(x, zeros, sm.ones((9, 1)), sm.ones((9, 3))).numpy(),
    ):
        assert np.isnan(found[0]).all()
        assert np.isfinite(found[1]).all()


def test_a_step_is_one_kernel_for_both_results():
    x, h = sm.ones((2, 3)), sm.zeros((2, 4))
    parameters = [sm.asarray(part) for part in parameters_of(np.random.default_rng(0), 4, 3, 4)]
    hidden, cell = sm.nn.lstm_cell(x, (h, h), *parameters)
    with sm.profile.gpu_time() as measured:
        sm.eval(hidden, cell)
    launched = [name for span in measured.spans for name in span.kernels]
    assert [name for name in launched if "lstm_step" in name] == launched
    assert len(launched) == 1


def test_what_was_written_after_the_call_does_not_count():
    x, h = sm.ones((1, 1)), sm.zeros((1, 1))
    found = sm.nn.gru_cell(x, h, sm.ones((3, 1)), sm.ones((3, 1)))
    before = float(sm.nn.gru_cell(sm.ones((1, 1)), h, sm.ones((3, 1)), sm.ones((3, 1))))
    x[...] = 5.0
    assert float(found) == before


# --- Sequences -----------------------------------------------------------------------------------


@st.composite
def sequences(draw):
    """A kind, a dtype, (batch, time, features, hidden), layers, and three switches."""
    sizes = tuple(
        draw(st.sampled_from(choices))
        for choices in ([0, 1, 3, 9], [1, 2, 5], [1, 3, 8], [1, 4, 7])
    )
    return (
        draw(st.sampled_from(["lstm", "gru"])),
        draw(st.sampled_from([np.float32, np.float64])),
        sizes,
        draw(st.integers(1, 3)),
        *(draw(st.booleans()) for _ in range(3)),
    )


@given(sequences())
@settings(max_examples=examples(60), deadline=None)
def test_sequences_are_their_steps(case):
    """Any layers and directions, in both orders of axes, with and without a first state."""
    kind, dtype, (batch, time, features, hidden), count, both, time_first, has_state = case
    generator = np.random.default_rng(hidden)
    directions = 1 + both
    layers = [
        parameters_of(generator, GATES[kind], width, hidden, dtype)
        for number in range(count)
        for width in [features if number == 0 else directions * hidden] * directions
    ]
    x = generator.standard_normal((time, batch, features)).astype(dtype)
    shape = (count * directions, batch, hidden)
    states = [generator.standard_normal(shape).astype(dtype) for _ in range(GATES[kind] - 2)]
    states = states if has_state else [np.zeros_like(each) for each in states]
    expected, ends = scan(
        kind,
        x.astype("f8"),
        [[part.astype("f8") for part in parts] for parts in layers],
        [each.astype("f8") for each in states],
        directions,
    )
    given_ = None if not has_state else tuple(states) if kind == "lstm" else states[0]
    ordered = x if time_first else np.ascontiguousarray(x.swapaxes(0, 1))
    outputs, last = getattr(sm.nn, kind)(
        sm.asarray(ordered), layers, given_, bidirectional=both, time_first=time_first
    )
    close(outputs, expected if time_first else expected.swapaxes(0, 1), dtype)
    for one, other in zip(last if kind == "lstm" else (last,), ends, strict=True):
        close(one, other, dtype)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_they_are_pytorchs(kind, both, bias):
    """Given `all_weights` of its layers, the outputs and states are the same."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    options = {"num_layers": 2, "bidirectional": both, "bias": bias, "batch_first": True}
    module = getattr(torch.nn, kind)(5, 4, **options)
    x = torch.randn(3, 7, 5)
    with torch.no_grad():
        outputs, last = module(x)
    weights = [[part.detach().numpy() for part in parts] for parts in module.all_weights]
    function = getattr(sm.nn, kind.lower())
    found, ends = function(sm.asarray(x.numpy()), weights, bidirectional=both)
    close(found, outputs.numpy())
    pairs = zip(last, ends, strict=True) if kind == "LSTM" else [(last, ends)]
    for expected, end in pairs:
        close(end, expected.numpy())


def test_halves_are_computed_in_float32_and_rounded_once():
    generator = np.random.default_rng(3)
    x = generator.standard_normal((2, 30, 3)).astype("f2")
    parameters = parameters_of(generator, 4, 3, 5, np.float16)
    found, (h, c) = sm.nn.lstm(sm.asarray(x), [parameters])
    wide, (wide_h, wide_c) = sm.nn.lstm(
        sm.asarray(x.astype("f4")), [tuple(part.astype("f4") for part in parameters)]
    )
    for half, single in ((found, wide), (h, wide_h), (c, wide_c)):
        assert half.dtype == np.float16
        np.testing.assert_array_equal(half.numpy(), single.numpy().astype("f2"))


def test_no_step_leaves_the_state():
    generator = np.random.default_rng(0)
    layers = [parameters_of(generator, 4, 3, 2), parameters_of(generator, 4, 3, 2)]
    state = tuple(generator.standard_normal((2, 5, 2)).astype("f4") for _ in range(2))
    outputs, last = sm.nn.lstm(sm.zeros((5, 0, 3)), layers, state, bidirectional=True)
    assert outputs.shape == (5, 0, 4)
    for one, other in zip(last, state, strict=True):
        np.testing.assert_array_equal(one.numpy(), other)


def test_inputs_may_be_expressions_and_results_are_lazy():
    x = sm.ones((2, 3, 4))
    weights = [(sm.ones((6, 4)) / 8, sm.ones((6, 2)) / 8)]
    lazy, _ = sm.nn.gru(x * 2, weights)
    assert lazy.pending is not None
    stored, _ = sm.nn.gru(sm.full((2, 3, 4), 2.0), weights)
    np.testing.assert_array_equal((lazy + 1).numpy(), stored.numpy() + 1)


@pytest.mark.parametrize("batch", [1, 9])
def test_costly_expressions_are_computed_once(batch):
    """Biases and states that a kernel reads for each row, several times over."""
    generator = np.random.default_rng(0)
    x = sm.asarray(generator.standard_normal((batch, 3, 2)).astype("f4"))
    wx, wh, bx, bh = (sm.asarray(part) for part in parameters_of(generator, 3, 2, 4))
    h = sm.asarray(generator.standard_normal((1, batch, 4)).astype("f4"))
    for _ in range(2):  # with and without a plan that is kept
        lazy = [sm.exp(sm.sin(each)) for each in (wx, wh, bx, bh)]
        stored = [sm.exp(sm.sin(each)) for each in (wx, wh, bx, bh)]
        sm.eval(*stored)
        found, _ = sm.nn.gru(x, [lazy], sm.exp(sm.sin(h)))
        expected, _ = sm.nn.gru(x, [stored], sm.exp(sm.sin(h)).copy())
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


# --- What is wrong -------------------------------------------------------------------------------

ONE = sm.ones((1, 1))
WRONG = {
    r"lstm_cell expected a state \(hidden, cell\), got an Array": lambda: sm.nn.lstm_cell(
        ONE, ONE, ONE, ONE
    ),
    r"hidden_weight of shape \(4 \* hidden, hidden\) = \(4, 1\), got \(3, 1\)": lambda: (
        sm.nn.lstm_cell(ONE, (ONE, ONE), sm.ones((4, 1)), sm.ones((3, 1)))
    ),
    r"input_weight of shape \(3 \* hidden, features\) = \(3, 1\), got \(3, 2\)": lambda: (
        sm.nn.gru_cell(ONE, ONE, sm.ones((3, 2)), sm.ones((3, 1)))
    ),
    r"input_bias of shape \(3 \* hidden,\) = \(3,\), got \(1, 1\)": lambda: sm.nn.gru_cell(
        ONE, ONE, sm.ones((3, 1)), sm.ones((3, 1)), ONE
    ),
    r"hidden of shape \(batch, hidden\) = \(1, 1\), got \(2, 1\)": lambda: sm.nn.gru_cell(
        ONE, sm.ones((2, 1)), sm.ones((3, 1)), sm.ones((3, 1))
    ),
    r"gru_cell expected x of shape \(batch, features\), got \(1, 1, 1\)": lambda: sm.nn.gru_cell(
        ONE[None], ONE, sm.ones((3, 1)), sm.ones((3, 1))
    ),
    r"lstm expected x of shape \(time, batch, features\), got \(1, 1\)": lambda: sm.nn.lstm(
        ONE, [(sm.ones((4, 1)), sm.ones((4, 1)))], time_first=True
    ),
    r"for each layer forward, then backward, got \[2\]": lambda: sm.nn.gru(
        ONE[None], [(ONE, ONE)], bidirectional=True
    ),
    r"gru expected weights .* for each layer, got an Array": lambda: sm.nn.gru(ONE[None], ONE),
    r"shape \(layers \* directions, batch, hidden\) = \(1, 1, 1\), got \(1, 1\)": lambda: sm.nn.gru(
        ONE[None], [(sm.ones((3, 1)), sm.ones((3, 1)))], ONE
    ),
    r"rnn_cell expected floats for x, got int32; convert with x.astype": lambda: sm.nn.rnn_cell(
        sm.ones((1, 1), sm.int32), ONE, ONE, ONE
    ),
    r"unknown activation 'sine'. Valid activations: relu, tanh": lambda: sm.nn.rnn_cell(
        ONE, ONE, ONE, ONE, activation="sine"
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_told(message):
    with pytest.raises(sm.UserInputError, match=message):
        WRONG[message]()
