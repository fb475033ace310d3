"""Recurrent layers: long short-term memories, gated recurrent units, and simple ones.

The products of the inputs are those of all steps at once; a step is then one product of the hidden
state, and one kernel for all gates (:mod:`speedmetal.nn.kernels.recurrent`). Parameters, their
order and that of the gates are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from speedmetal.arrays.algebra.products import matmul
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import zeros
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.activations import relu
from speedmetal.arrays.elementwise.operands import cast
from speedmetal.arrays.replaying import replayed
from speedmetal.arrays.shaping.joining import stack
from speedmetal.dtypes import DType
from speedmetal.errors import UnknownNameError, UserInputError
from speedmetal.frontend.signature import with_article
from speedmetal.nn.arguments import check_shape, floats_of
from speedmetal.nn.directions import Direction
from speedmetal.nn.steps import layer

_LSTM, _GRU, _SIMPLE = 4, 3, 1
"""Gates."""
_PARAMETERS = ("input_weight", "hidden_weight", "input_bias", "hidden_bias")


class _Weights(NamedTuple):
    """The parameters of one layer in one direction."""

    input: Array
    hidden: Array
    input_bias: Array | None
    hidden_bias: Array | None

    @property
    def size(self) -> int:
        """Of the hidden state."""
        return self.hidden.shape[1]


# --- Cells ---------------------------------------------------------------------------------------


@replayed
def lstm_cell(
    x: Any,
    state: tuple[Any, Any],
    input_weight: Any,
    hidden_weight: Any,
    input_bias: Any = None,
    hidden_bias: Any = None,
) -> tuple[Array, Array]:
    """A step of a long short-term memory (Hochreiter and Schmidhuber, 1997), as PyTorch has it.

        ``i, f, g, o = x Wx^T + bx + h Wh^T + bh``, one after the other,
        ``c' = sigmoid(f) c + sigmoid(i) tanh(g)``, ``h' = sigmoid(o) tanh(c')``

    Args:
        x: ``(batch, features)``, of floats.
        state: ``(h, c)``, the hidden state and the memory cell, both ``(batch, hidden)``.
        input_weight: ``(4 * hidden, features)``.
        hidden_weight: ``(4 * hidden, hidden)``.
        input_bias: ``(4 * hidden,)``; None: there is none.
        hidden_bias: The same.

    Returns:
        ``(h', c')``, both lazy, ``(batch, hidden)``, of the promoted dtype; one kernel writes both.
        float16 and bfloat16 are computed in float32.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> x, h, c = sm.ones((1, 3)), sm.zeros((1, 2)), sm.ones((1, 2))
        >>> sm.nn.lstm_cell(x, (h, c), sm.zeros((8, 3)), sm.zeros((8, 2)))[1]
        Array([[0.5, 0.5]], dtype=float32, device='cpu')
    """
    hidden, cell = _pair("lstm_cell", state)
    given = (input_weight, hidden_weight, input_bias, hidden_bias)
    hidden, cell = _one_step("lstm_cell", _LSTM, x, given, hidden=hidden, cell=cell)
    return hidden, cell


@replayed
def gru_cell(
    x: Any,
    hidden: Any,
    input_weight: Any,
    hidden_weight: Any,
    input_bias: Any = None,
    hidden_bias: Any = None,
) -> Array:
    """A step of gated recurrent units (Cho and others, 2014), as PyTorch has it.

        ``r, z, n = x Wx^T + bx`` and ``r', z', n' = h Wh^T + bh``, one after the other,
        ``k = tanh(n + sigmoid(r + r') n')``, ``h' = (1 - sigmoid(z + z')) k + sigmoid(z + z') h``

    Args:
        x: ``(batch, features)``, of floats.
        hidden: ``(batch, hidden)``, the hidden state.
        input_weight: ``(3 * hidden, features)``.
        hidden_weight: ``(3 * hidden, hidden)``.
        input_bias: ``(3 * hidden,)``; None: there is none.
        hidden_bias: The same.

    Returns:
        ``h'``, lazy, ``(batch, hidden)``, of the promoted dtype. float16 and bfloat16 are computed
        in float32.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.gru_cell(sm.ones((1, 3)), sm.ones((1, 2)), sm.zeros((6, 3)), sm.zeros((6, 2)))
        Array([[0.5, 0.5]], dtype=float32, device='cpu')
    """
    given = (input_weight, hidden_weight, input_bias, hidden_bias)
    (found,) = _one_step("gru_cell", _GRU, x, given, hidden=hidden)
    return found


@replayed
def rnn_cell(
    x: Any,
    hidden: Any,
    input_weight: Any,
    hidden_weight: Any,
    input_bias: Any = None,
    hidden_bias: Any = None,
    *,
    activation: str = "tanh",
) -> Array:
    """A step of a simple recurrent layer (Elman, 1990): ``tanh(x Wx^T + bx + h Wh^T + bh)``.

    Args:
        x: ``(batch, features)``, of floats.
        hidden: ``(batch, hidden)``, the hidden state.
        input_weight: ``(hidden, features)``.
        hidden_weight: ``(hidden, hidden)``.
        input_bias: ``(hidden,)``; None: there is none.
        hidden_bias: The same.
        activation: ``"tanh"``, or ``"relu"`` in its place.

    Returns:
        The next hidden state, lazy, ``(batch, hidden)``, of the promoted dtype.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together, or the activation is another.

    Example:
        >>> import speedmetal as sm
        >>> x, h, eye = sm.ones((1, 2)), sm.array([[3.0, -5.0]]), sm.eye(2)
        >>> sm.nn.rnn_cell(x, h, eye, eye, activation="relu")
        Array([[4., 0.]], dtype=float32, device='cpu')
    """
    if activation not in ("tanh", "relu"):
        raise UnknownNameError("activation", str(activation), ("tanh", "relu"))
    given = (input_weight, hidden_weight, input_bias, hidden_bias)
    inputs, weights, (state,), dtype = _of_cell("rnn_cell", _SIMPLE, x, given, hidden=hidden)
    total = matmul(inputs, weights.input.T) + matmul(state, weights.hidden.T)
    for bias in (weights.input_bias, weights.hidden_bias):
        total = total if bias is None else total + bias
    found: Array = cast(relu(total) if activation == "relu" else apply("tanh", total), dtype)
    return found


def _of_cell(
    name: str, gates: int, x: Any, parameters: tuple[Any, ...], **states: Any
) -> tuple[Array, _Weights, list[Array], DType]:
    """A cell's inputs, parameters and states in the dtype to compute in, and the result's dtype."""
    given = dict(zip(_PARAMETERS, parameters, strict=True))
    wide, dtype = floats_of(name, x=x, **given, **states)
    weights = _checked(name, gates, wide, "")
    inputs = _inputs(name, wide["x"], "(batch")
    _check_features(name, gates, inputs, weights)
    found = [_state(name, key, wide[key], inputs.shape[0], weights) for key in states]
    return inputs, weights, found, dtype


def _one_step(
    name: str, gates: int, x: Any, parameters: tuple[Any, ...], **states: Any
) -> list[Array]:
    """The states after a step of a cell with gates."""
    inputs, weights, found, dtype = _of_cell(name, gates, x, parameters, **states)
    made = layer(name, inputs, [_direction(weights, found)])
    return [cast(array, dtype) for array in made]


# --- Sequences -----------------------------------------------------------------------------------


def lstm(
    x: Any,
    weights: Sequence[Sequence[Any]],
    state: tuple[Any, Any] | None = None,
    *,
    bidirectional: bool = False,
    time_first: bool = False,
) -> tuple[Array, tuple[Array, Array]]:
    """Long short-term memories over sequences: :func:`lstm_cell` for each step, layer after layer.

    Args:
        x: ``(batch, time, features)``, of floats.
        weights: For each layer ``(input_weight, hidden_weight)`` or ``(input_weight, hidden_weight,
            input_bias, hidden_bias)``, as :func:`lstm_cell` takes them and ``all_weights`` of
            ``torch.nn.LSTM`` has them; if there are two directions, each layer's forward ones come
            before its backward ones. The inputs of a layer are the outputs of the one before, of
            both directions.
        state: ``(h, c)`` before the first step, both ``(layers * directions, batch, hidden)``;
            None: zeros.
        bidirectional: Whether each layer goes backward through time as well, with weights of its
            own; its hidden states come behind the forward ones.
        time_first: Whether ``x`` and the outputs are ``(time, batch, ...)``.

    Returns:
        ``outputs, (h, c)``: the last layer's hidden states after each step, ``(batch, time,
        directions * hidden)``, and the state after the last steps, in the form of ``state``. All
        are lazy. float16 and bfloat16 are computed in float32, and rounded at the end.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.random.normal(size=(2, 5, 3))
        >>> layers = [(sm.ones((16, 3)), sm.ones((16, 4))), (sm.ones((16, 4)), sm.ones((16, 4)))]
        >>> outputs, (h, c) = sm.nn.lstm(x, layers)
        >>> outputs.shape, h.shape, c.shape
        ((2, 5, 4), (2, 2, 4), (2, 2, 4))
    """
    states = (None, None) if state is None else _pair("lstm", state)
    form = _Form("lstm", _LSTM, 1 + bool(bidirectional), time_first)
    outputs, (hidden, cell) = _sequence(form, x, weights, states)
    return outputs, (hidden, cell)


@replayed
def gru(
    x: Any,
    weights: Sequence[Sequence[Any]],
    hidden: Any = None,
    *,
    bidirectional: bool = False,
    time_first: bool = False,
) -> tuple[Array, Array]:
    """Gated recurrent units over sequences: :func:`gru_cell` for each step, layer after layer.

    Args:
        x: ``(batch, time, features)``, of floats.
        weights: As for :func:`lstm`, for :func:`gru_cell`.
        hidden: The hidden states before the first step, ``(layers * directions, batch, hidden)``;
            None: zeros.
        bidirectional: As for :func:`lstm`.
        time_first: As for :func:`lstm`.

    Returns:
        ``outputs, hidden``: the last layer's hidden states after each step, ``(batch, time,
        directions * hidden)``, and those after the last steps, in the form of ``hidden``; lazy.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> x, weights = sm.ones((5, 2, 3)), (sm.ones((12, 3)), sm.ones((12, 4)))
        >>> outputs, h = sm.nn.gru(x, [weights, weights], bidirectional=True, time_first=True)
        >>> outputs.shape, h.shape
        ((5, 2, 8), (2, 2, 4))
    """
    form = _Form("gru", _GRU, 1 + bool(bidirectional), time_first)
    outputs, (last,) = _sequence(form, x, weights, (hidden,))
    return outputs, last


class _Form(NamedTuple):
    """What kind of layers: the function's name, gates, directions, and which axis comes first."""

    name: str
    gates: int
    directions: int
    is_time_first: bool

    @property
    def states(self) -> tuple[str, ...]:
        """What a layer remembers from one step to the next."""
        return ("hidden", "cell") if self.gates == _LSTM else ("hidden",)


def _sequence(
    form: _Form, x: Any, weights: Any, states: tuple[Any, ...]
) -> tuple[Array, list[Array]]:
    """The outputs, and for each state those after the last steps."""
    given = {"x": x, **dict(zip(form.states, states, strict=True))}
    layers = _given_layers(form, weights)
    for number, parts in enumerate(layers):
        given |= {f"{key} {number}": part for key, part in zip(_PARAMETERS, parts, strict=False)}
    wide, dtype = floats_of(form.name, **given)
    found = [_checked(form.name, form.gates, wide, f" {n}") for n in range(len(layers))]
    is_time_first = form.is_time_first
    axes = "(time, batch" if is_time_first else "(batch, time"
    sequence = _inputs(form.name, wide["x"], axes)
    batch = sequence.shape[1 if is_time_first else 0]
    before = [_first_states(form, key, wide[key], found, batch, sequence) for key in form.states]
    after: list[list[Array]] = [[] for _ in form.states]
    for place in range(0, len(found), form.directions):
        own = found[place : place + form.directions]
        starts = [[each[place + way] for each in before] for way in range(form.directions)]
        sequence, ends = _one_layer(form, sequence, own, starts, is_time_first=is_time_first)
        is_time_first = True
        after = [[*known, *more] for known, more in zip(after, ends, strict=True)]
    outputs = sequence if form.is_time_first else sequence.transpose((1, 0, 2))
    return cast(outputs, dtype), [cast(stack(each), dtype) for each in after]


def _one_layer(
    form: _Form,
    sequence: Array,
    weights: list[_Weights],
    starts: list[list[Array]],
    *,
    is_time_first: bool,
) -> tuple[Array, list[list[Array]]]:
    """The hidden states, ``(time, batch, ...)``, and for each state those after the last steps.

    Args:
        form: Of the layer.
        sequence: Its inputs.
        weights: Of each direction.
        starts: For each direction its states before the first step.
        is_time_first: Whether the inputs are ``(time, batch, features)``.
    """
    directions = []
    for way, own in enumerate(weights):
        like = weights[0].hidden.shape
        check_shape(form.name, "hidden_weight", own.hidden, like, "the other direction's")
        _check_features(form.name, form.gates, sequence, own)
        directions.append(_direction(own, starts[way], is_backward=way == 1))
    if not sequence.shape[0 if is_time_first else 1]:  # no step: the states stay
        ends = [list(each) for each in zip(*starts, strict=True)]
        shape = (0, starts[0][0].shape[0], len(weights) * weights[0].size)
        return zeros(shape, sequence.dtype, sequence.device), ends
    outputs, *cells = layer(form.name, sequence, directions, is_time_first=is_time_first)
    hidden = [
        outputs[0 if way else -1, :, way * own.size : (way + 1) * own.size]
        for way, own in enumerate(weights)
    ]
    return outputs, [hidden, cells] if cells else [hidden]


# --- What both have in common --------------------------------------------------------------------


def _check_features(name: str, gates: int, inputs: Array, weights: _Weights) -> None:
    shape = (gates * weights.size, inputs.shape[-1])
    check_shape(name, "input_weight", weights.input, shape, f"({_times(gates)}hidden, features)")


def _direction(
    weights: _Weights, states: Sequence[Array], *, is_backward: bool = False
) -> Direction:
    hidden, *cell = states
    biases = weights.input_bias, weights.hidden_bias
    memory = cell[0] if cell else None
    return Direction(weights.input, weights.hidden, biases, hidden, memory, is_backward)


def _pair(name: str, state: Any) -> tuple[Any, Any]:
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise UserInputError(
            f"{name} expected a state (hidden, cell), got {with_article(type(state).__name__)}"
        )
    return state[0], state[1]


def _given_layers(form: _Form, weights: Any) -> list[tuple[Any, ...]]:
    """The parameters that were given for each layer and direction."""
    layers = [tuple(parts) for parts in weights] if isinstance(weights, list | tuple) else []
    ways = form.directions
    if not layers or len(layers) % ways or any(len(parts) not in (2, 4) for parts in layers):
        shown = [len(parts) for parts in layers] or with_article(type(weights).__name__)
        each = "each layer" if ways == 1 else "each layer forward, then backward"
        raise UserInputError(
            f"{form.name} expected weights [(input_weight, hidden_weight), ...] or [(input_weight,"
            f" hidden_weight, input_bias, hidden_bias), ...] for {each}, got {shown}"
        )
    return layers


def _checked(name: str, gates: int, wide: dict[str, Array | None], suffix: str) -> _Weights:
    """The parameters of one layer and direction; the inputs' features are checked beside them."""
    inputs, hidden, *biases = (wide.get(f"{key}{suffix}") for key in _PARAMETERS)
    assert inputs is not None
    assert hidden is not None
    times = _times(gates)
    size = hidden.shape[-1] if hidden.ndim else 0
    check_shape(name, "hidden_weight", hidden, (gates * size, size), f"({times}hidden, hidden)")
    for key, bias in zip(_PARAMETERS[2:], biases, strict=True):
        if bias is not None:
            check_shape(name, key, bias, (gates * size,), f"({times}hidden,)")
    return _Weights(inputs, hidden, *biases)


def _times(gates: int) -> str:
    return f"{gates} * " if gates > 1 else ""


def _inputs(name: str, x: Array | None, axes: str) -> Array:
    assert x is not None
    if x.ndim != axes.count(",") + 2:
        raise UserInputError(f"{name} expected x of shape {axes}, features), got {x.shape}")
    return x


def _state(name: str, key: str, state: Array | None, batch: int, weights: _Weights) -> Array:
    assert state is not None
    check_shape(name, key, state, (batch, weights.size), "(batch, hidden)")
    return state


def _first_states(
    form: _Form, key: str, state: Array | None, weights: list[_Weights], batch: int, like: Array
) -> list[Array]:
    """For each layer and direction the state before the first step."""
    if state is None:
        return [zeros((batch, own.size), like.dtype, like.device) for own in weights]
    words = "(layers * directions, batch, hidden)"
    check_shape(form.name, key, state, (len(weights), batch, weights[0].size), words)
    return [state[number] for number in range(len(weights))]
