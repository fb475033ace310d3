"""How values vary over the lanes of a vector.

A vector holds consecutive threads of a threadgroup. A value's shape is its *stride*: 0 where all
lanes have the same value (uniform; kept in a scalar), ``k`` where lane ``n`` has the first lane's
value plus ``n * k`` (linear; kept as the first lane's value), None where nothing is known
(varying; kept in a vector). Uniform conditions are real branches, linear indices are contiguous
accesses; both are most of what makes code fast.

The analysis follows the paper on whole-function vectorisation by Karrenberg and Hack (2011) in
what it computes, over structured control flow: a variable that is assigned under a condition that
varies is varying, unless everything that touches it is under that condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from speedmetal.common.records import field, record
from speedmetal.dtypes import DType
from speedmetal.intrinsics.record import IntrinsicKind, Varies
from speedmetal.ir import counting, walk
from speedmetal.ir.nodes import (
    Assert,
    Assign,
    Atomic,
    Binary,
    Break,
    Call,
    Constant,
    Continue,
    Convert,
    Expression,
    Extent,
    For,
    If,
    Load,
    MatrixLoad,
    Read,
    Return,
    Statement,
    Unary,
    Variable,
    While,
)
from speedmetal.ir.types import MatrixType, Space

Stride = int | None
UNIFORM: Stride = 0
VARYING: Stride = None

_FAR = 1 << 15  # from the ends of integers that count: extents are as far from them, and more
_MOST_LANES = 32

Control = If | For | While
Path = tuple[object, ...]  # the enclosing blocks, outermost first


def join(left: Stride, right: Stride) -> Stride:
    """The shape of a variable that is assigned both."""
    return left if left == right else VARYING


@record(frozen=False)
class Accesses:
    """Where a variable is assigned and read: the paths of blocks."""

    assigned: list[Path] = field(default_factory=list)
    read: list[Path] = field(default_factory=list)
    last_read: int = 0  # in program order

    @property
    def is_single(self) -> bool:
        """Whether one assignment reaches every read from the read's own block or one around it."""
        if len(self.assigned) != 1:
            return False
        path = self.assigned[0]
        return all(other[: len(path)] == path for other in self.read)

    def innermost_block(self) -> Path:
        """The innermost block that holds every access."""
        paths = self.assigned + self.read
        depth = 0
        while all(len(p) > depth and p[depth] == paths[0][depth] for p in paths):
            depth += 1
        return paths[0][:depth]


class LaneStrides:
    """The shapes of a body's variables, and which of its control flow varies.

    Args:
        runs: The body, as the pieces that are vectorised on their own: a whole function is one;
            a kernel with barriers has one for each stretch between them.
        given: LaneStrides of parameters.
        positions: The shape of a position.
        between: Control flow between the pieces, which all threads take alike.
        may_wrap: Whether a linear value may wrap between the lanes. Then it is linear in its own
            type alone, where every lane wraps, and not as a wider one.
    """

    def __init__(
        self,
        runs: Iterable[tuple[Path, tuple[Statement, ...]]],
        given: dict[Variable, Stride],
        positions: Callable[[Call], Stride],
        between: Iterable[tuple[Path, Statement]] = (),
        may_wrap: Callable[[Expression], bool] = lambda _: True,
    ) -> None:
        self._runs = list(runs)
        self._between = list(between)
        self._positions = positions
        self._may_wrap = may_wrap
        self.of: dict[Variable, Stride] = dict(given)
        self.accesses: dict[Variable, Accesses] = {}
        self.varying: set[Control] = set()
        self.masked_exits: set[Control] = set()
        self.has_masked_return = False
        self._clock = 0
        self._ends: dict[Statement, int] = {}
        self._skipping: set[object] = set()  # loops with a `continue`
        # Linear variables whose first lane may leave the type when it is done with its loop.
        self._outrun: set[Variable] = set()
        for path, statement in self._between:
            self._find_in(statement, path)
        for path, body in self._runs:
            self._find_accesses(body, path)
        self._homes = {v: a.innermost_block() for v, a in self.accesses.items() if a.assigned}
        self._solve()

    # --- where variables are touched

    def _find_accesses(self, body: tuple[Statement, ...], path: Path) -> None:
        for statement in body:
            self._find_in(statement, path)
            for number, block in enumerate(walk.blocks(statement)):
                self._find_accesses(block, (*path, (statement, number)))
            self._ends[statement] = self._clock
            if isinstance(statement, Continue):
                self._skipping.add(innermost_loop(path))

    def _find_in(self, statement: Statement, path: Path) -> None:
        self._clock += 1
        for expression in walk.expressions(statement):
            if isinstance(expression, Read):
                accesses = self.accesses.setdefault(expression.variable, Accesses())
                accesses.read.append(path)
                accesses.last_read = self._clock
        target = walk.assigned_variable(statement)
        if target is not None:
            inner = (*path, (statement, 0)) if isinstance(statement, For) else path
            self.accesses.setdefault(target, Accesses()).assigned.append(inner)

    # --- the fixed point

    def _solve(self) -> None:
        changed = True
        while changed:
            before = (dict(self.of), len(self.varying), len(self.masked_exits))
            for _, statement in self._between:
                self._between_runs(statement)
            for path, body in self._runs:
                self._visit(body, path)
            changed = before != (self.of, len(self.varying), len(self.masked_exits))

    def _between_runs(self, statement: Statement) -> None:
        if isinstance(statement, For):  # all threads have the same bounds
            self.of[statement.counter] = UNIFORM

    def _visit(self, body: tuple[Statement, ...], path: Path) -> None:
        for statement in body:
            match statement:
                case Assign(variable, value):
                    if self._may_be_outrun(value):
                        self._outrun.add(variable)
                    self._assign(variable, self.stride(value), path)
                case Atomic(result=Variable() as result):
                    self._assign(result, VARYING, path)
                case For():
                    self._visit_for(statement, path)
                case If() | While():
                    self._visit_conditional(statement, path)
                case Break() | Continue() | Return():
                    self._visit_exit(statement, path)
                case Assert():  # threads that fail return
                    self.has_masked_return = True
                    self._visit_exit(statement, path)

    def _visit_for(self, loop: For, path: Path) -> None:
        start, stop, step = map(self.stride, (loop.start, loop.stop, loop.step))
        if (start, stop, step) != (UNIFORM, UNIFORM, UNIFORM):
            self.varying.add(loop)
        # All lanes that are left have gone round as often.
        shape = start if step == UNIFORM else VARYING
        self.of[loop.counter] = join(self.of.get(loop.counter, shape), shape)
        if shape and not _first_lane_stays(loop, shape):
            self._outrun.add(loop.counter)
        self._visit(loop.body, (*path, (loop, 0)))

    def _visit_conditional(self, statement: If | While, path: Path) -> None:
        if self.stride(statement.condition) != UNIFORM:
            self.varying.add(statement)
        for number, block in enumerate(walk.blocks(statement)):
            self._visit(block, (*path, (statement, number)))

    def _visit_exit(self, statement: Break | Continue | Return | Assert, path: Path) -> None:
        leaves_all = isinstance(statement, Return | Assert)
        # Where some return by a mask, all do: the others must find themselves gone.
        inside_varying = leaves_all and self.has_masked_return
        for block in reversed(path):
            if not isinstance(block, tuple):
                continue
            control = block[0]
            if isinstance(control, For | While):
                if inside_varying or control in self.masked_exits or control in self.varying:
                    self.masked_exits.add(control)
                    self.varying.add(control)
                    inside_varying = True
                if not leaves_all:
                    return
            inside_varying = inside_varying or control in self.varying
        if leaves_all and inside_varying:
            self.has_masked_return = True

    def _assign(self, variable: Variable, shape: Stride, path: Path) -> None:
        if isinstance(variable.type, MatrixType):
            self.of[variable] = UNIFORM
            return
        if not self.accesses[variable].is_single and self.leaves_lanes_behind(variable, path):
            shape = VARYING
        self.of[variable] = join(self.of.get(variable, shape), shape)

    def leaves_lanes_behind(self, variable: Variable, path: Path) -> bool:
        """Whether lanes that are idle at this assignment may read the variable later."""
        inner = path[len(self._homes[variable]) :]
        in_loop = False
        for block in inner:
            control = block[0] if isinstance(block, tuple) else None
            if control in self.varying and (in_loop or not self._is_left(control, variable)):
                return True
            in_loop = in_loop or isinstance(control, For | While)
        return False

    def _is_left(self, control: object, variable: Variable) -> bool:
        """Whether lanes that are idle in this control flow are done with the variable.

        True of a loop that lanes leave for good: nothing after it reads the variable.
        """
        if not isinstance(control, For | While) or control in self._skipping:
            return False
        return self.accesses[variable].last_read <= self._ends[control]

    # --- expressions

    def stride(self, expression: Expression) -> Stride:  # noqa: PLR0911 - one a node kind
        """The shape of an expression's value."""
        match expression:
            case Read(variable):
                return self.of.get(variable, UNIFORM)
            case Binary():
                return self._binary(expression)
            case Unary("negate", operand):
                inner = self.stride(operand)
                return _stride_in_type(expression.type, None if inner is None else -inner)
            case Convert(operand, dtype):
                inner = self.stride(operand)
                source = operand.type
                assert isinstance(source, DType)
                if inner in (UNIFORM, VARYING) or source is dtype:
                    return inner
                widens = source.is_signed and dtype.is_signed and dtype.bits > source.bits
                stays = not (self._may_wrap(operand) or self._may_be_outrun(operand))
                return inner if widens and stays else VARYING
            case Load(array, indices):
                uniform = array.type.space is not Space.THREAD and self._all_uniform(indices)
                return UNIFORM if uniform else VARYING
            case Call():
                return self._call(expression)
            case MatrixLoad():
                return UNIFORM
        return UNIFORM if self._all_uniform(walk.operands(expression)) else VARYING

    def _may_be_outrun(self, expression: Expression) -> bool:
        """Whether a value's first lane, done with a loop, may have wrapped where others have not.

        Then that lane's number tells those of the others in the value's own type alone.
        """
        if not self._outrun:
            return False
        parts = (*walk.expressions(expression), expression)
        return any(isinstance(part, Read) and part.variable in self._outrun for part in parts)

    def _all_uniform(self, operands: Iterable[Expression]) -> bool:
        return all(self.stride(operand) == UNIFORM for operand in operands)

    def _binary(self, expression: Binary) -> Stride:
        left, right = self.stride(expression.left), self.stride(expression.right)
        if left == right == UNIFORM:
            return UNIFORM
        if left is None or right is None:
            return VARYING
        match expression.operator:
            case "add":
                return _stride_in_type(expression.type, left + right)
            case "subtract":
                return _stride_in_type(expression.type, left - right)
            case "multiply":
                factor, other = expression.left, right
                if not isinstance(factor, Constant):
                    factor, other = expression.right, left
                if isinstance(factor, Constant):
                    return _stride_in_type(expression.type, int(factor.value) * other)
        return VARYING

    def _call(self, call: Call) -> Stride:
        intrinsic, arguments = call.intrinsic, call.arguments
        if intrinsic.kind is IntrinsicKind.POSITION:
            return self._positions(call)
        if intrinsic.kind is IntrinsicKind.MATRIX:
            return UNIFORM
        # Where there are collectives, a vector is a simdgroup.
        own = (a for n, a in enumerate(arguments) if n not in intrinsic.united)
        same = intrinsic.varies <= Varies.SIMDGROUPS and self._all_uniform(own)
        return UNIFORM if same else VARYING


def _first_lane_stays(loop: For, stride: int) -> bool:
    """Whether a counter's first lane is in its type as long as another lane has turns.

    So it is where that lane ends last, and where loops end far from the ends of their type.
    """
    rising = counting.step_rises(loop.step)
    if rising is not None and rising == (stride > 0):
        return True
    near_zero = isinstance(loop.stop, Constant) and abs(loop.stop.value) <= _FAR
    return abs(stride) <= _FAR // _MOST_LANES and (near_zero or isinstance(loop.stop, Extent))


def innermost_loop(path: Path) -> object:
    """The loop around a statement, where there is one."""
    loops = (b[0] for b in reversed(path) if isinstance(b, tuple) and isinstance(b[0], For | While))
    return next(loops, None)


def _stride_in_type(kind: object, stride: Stride) -> Stride:
    """Linear only where lanes do not wrap round: in signed integers."""
    return stride if stride == UNIFORM or (isinstance(kind, DType) and kind.is_signed) else VARYING
