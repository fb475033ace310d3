"""Plain Python is the reference: each function runs as Python, and as a kernel of one thread."""

import dataclasses
import enum
import math
import operator
from dataclasses import dataclass

import numpy as np
from python_reference import Pair, cases, check

import speedmetal as sm

# ruff: noqa: E711, E731, PLR0133, PLR1730, SIM108, C409, SIM222, SIM223, PLW2901, PLC3002
# ruff: noqa: RUF034, RUF060, B905
# The functions are written as people write them, not as linters want it.


@dataclass(frozen=True)
class Box:
    low: Pair
    size: float = 4.0

    def area(self):
        return self.size * self.size


class Mode(enum.IntEnum):
    FAST = 2


ORIGIN = Pair(1.0, 2.0)
BOX = Box(ORIGIN)
COMPLEX_UNIT = np.complex64(1j)
WEIGHTS = (0.25, 0.5, 0.25)
FLAG = np.bool_(True)


def tuples_are_built_and_repeated(a, n, z, b):
    x = 2 * (a[0], a[1])
    y = (a[2],) * 3 + x
    a[0] = y[0] + y[3] + len(y)
    a[1], a[2] = a[2], a[1]
    n[0], (n[1], n[2]) = n[2], (n[0], n[1])


def signs_of_numbers(a, n, z, b):
    a[0] = -a[0] + +a[1] - -2.0
    n[0] = ~n[0] + +n[1] - ~5 + +3
    b[1] = not b[0]
    z[0] = -z[1]
    z[1] = +z[2]


def constants_fold_as_python_does(a, n, z, b):
    n[0] = -7 // 2 + -7 % 3 + (1 << 4) + (6 ^ 3) + (2**5)
    a[0] = 7 / 2 + 2**-1 + abs(-3) + round(2.5) + int(3.9) + float("1.5")
    b[0] = (1 < 2 < 3) and not (2 < 1 < 5) and "x" == "x" and (1, 2) != (1, 3)
    b[1] = bool(0) or bool("text") or bool(())
    n[1] = max(3, 1, 2) - min(4, 9)
    n[2] = len("four") + len((1, 2)) + divmod(17, 5)[1]
    a[1] = +1.5 - +(-2.0)


def none_is_no_number(a, n, z, b):
    x = a[0]
    b[0] = x == None
    b[1] = x != None
    b[2] = x is not None
    b[3] = None is None


def texts_choose_while_compiling(a, n, z, b):
    mode = "fast"
    if mode == "slow":
        a[0] = -1.0
    elif mode in ("fast", "faster"):
        a[0] = 5.0
    b[0] = mode == 3
    b[1] = "a" < "b"


def booleans_choose(a, n, z, b):
    b[0] = b[0] and True
    b[1] = b[1] or False
    b[2] = False and b[2]
    b[3] = True or b[3]
    n[0] = 3 if True else n[1]
    n[1] = n[2] and n[3]
    n[2] = n[4] or n[5]
    a[0] = (a[1] > 0) + (a[2] > 0) * 2


def membership(a, n, z, b):
    b[0] = n[0] in (1, 2, 3)
    b[1] = n[0] not in (1, 2, 3)
    b[2] = n[1] in ()
    b[3] = 2 in (1, 2)


def chains_stop_early(a, n, z, b):
    b[0] = 0 < n[1] < n[2] < 100
    b[1] = 0 < 1 < n[1]
    b[2] = n[1] < n[2] > n[0] != n[3]
    b[3] = 3 < 2 < n[7]


def tuples_are_compared_item_by_item(a, n, z, b):
    b[0] = (n[0], n[1]) == (n[0], n[1])
    b[1] = (n[0], n[1]) == (n[1], n[0])
    b[2] = (n[0], n[1]) != (n[0], n[1], n[2])
    b[3] = (n[0],) == 1


def choices_of_tuples(a, n, z, b):
    p = (a[0], n[0]) if a[0] > a[1] else (a[1], n[1])
    a[2] = p[0]
    n[2] = p[1]
    q = Pair(a[0], a[1]) if n[0] > n[1] else Pair(a[1], a[0])
    a[3] = q.x - q.y


def choices_with_effects_run_one_side(a, n, z, b):
    def bump(i):
        n[i] += 10
        return a[i]

    a[4] = bump(0) if a[0] > a[1] else bump(1)
    b[0] = a[0] > 1000.0 and bump(2) > 0.0
    b[1] = a[0] < 1000.0 or bump(3) > 0.0


def choices_of_one_object(a, n, z, b):
    function = math.sqrt if a[0] > 0 else math.sqrt
    target = a if n[0] > 0 else a
    word = "x" if n[0] > 0 else "x"
    a[0] = function(16.0)
    target[1] = 5.0
    b[0] = word == "x"


def complex_arithmetic(a, n, z, b):
    z[0] = z[1] + 2.0 * z[2] - 1j
    z[1] = 2.0 - z[3]
    z[2] = z[0] * z[1]
    z[3] = (2.0 + 1j) * 1.0
    a[0] = z[0].real
    a[1] = z[0].imag + a[2].imag + (3).real
    a[2] = z[1].conjugate().imag
    b[0] = z[0] == z[0]
    b[1] = z[0] != z[1]
    b[2] = bool(z[2])


def complex_choices(a, n, z, b):
    x = z[0] if a[0] > a[1] else z[1]
    y = z[2] if n[0] > n[1] else 2.0
    z[0] = x
    z[1] = y
    if b[0]:
        w = z[2]
    else:
        w = z[3]
    z[3] = w
    z[2] = complex(a[3], a[4])


def complex_total(a, n, z, b):
    total = 0.0
    for i in range(4):
        total = total + z[i]
    z[0] = total
    if z[1]:
        z[2] = complex(3.0)


def complex_constants_of_numpy(a, n, z, b):
    z[0] = z[1] * COMPLEX_UNIT
    if FLAG:
        z[1] = COMPLEX_UNIT


def records(a, n, z, b):
    p = Pair(a[0], y=a[1])
    q = p.swapped()
    a[2] = q.x + p.total * p.SCALE + Pair.doubled(p.x)
    a[3] = p._replace(x=7.0).x + ORIGIN.y
    box = Box(q)
    other = dataclasses.replace(box, size=a[4])
    a[5] = box.area() + other.area() + BOX.low.x + other.low.y
    b[0] = p == q
    x, y = p
    a[6] = x * y


def records_change_in_loops(a, n, z, b):
    p = Pair(0.0, 1.0)
    for i in range(4):
        p = Pair(p.x + a[i], p.y * 2.0)
    a[0] = p.x
    a[1] = p.y
    state = (0.0, None)
    while state[0] < 3.0:
        state = (state[0] + 1.0, None)
    a[2] = state[0]


def enumerations_are_numbers(a, n, z, b):
    n[0] = Mode.FAST + n[1]


def names_change_their_kind_of_number(a, n, z, b):
    total = 0
    for i in range(4):
        total = total + a[i]
    a[0] = total
    best = n[0]
    for i in range(1, 8):
        if n[i] > best:
            best = n[i]
    n[0] = best
    x = 1
    if a[1] > 0:
        x = 2.5
    a[1] = x


def names_that_agree_stay_constants(a, n, z, b):
    if a[0] > 0:
        step, item, scale = 2, (1.0, "x"), 0.5
    else:
        step, item, scale = 2, (1.0, "x"), 0.5
    for i in range(0, 8, step):
        a[i] = item[0] * scale


def loops_unroll(a, n, z, b):
    for i in sm.static_range(8):
        if i == 2:
            continue
        if i == 6:
            break
        a[i] = a[i] + i
    for i, w in enumerate(WEIGHTS, start=1):
        n[i] = n[i] * int(w * 4)
    for i, (w, v) in enumerate(zip(WEIGHTS, reversed(WEIGHTS))):
        a[i] += w * v
    for i in reversed(sm.static_range(3)):
        n[i] += i


def unrolled_loops_are_left_where_the_data_says(a, n, z, b):
    for i in sm.static_range(6):
        if a[i] > 4.0:
            break
        if n[i] > 5:
            continue
        a[i] = -1.0
    for i in (0, 1, 2):
        for j in range(3):
            if n[j] > n[i]:
                a[6] += 1.0
                break


def loops_leave_and_return(a, n, z, b):
    def first_above(limit):
        for i in range(8):
            for j in range(i):
                if a[j] + a[i] > limit:
                    return i * 10 + j
        return -1

    n[0] = first_above(5.0)
    n[1] = first_above(1000.0)


def returns_inside_unrolled_loops(a, n, z, b):
    def find(value):
        for i in sm.static_range(8):
            if n[i] == value:
                return i
        return 99

    n[1] = find(n[3])
    n[2] = find(12345)


def ranges_of_all_kinds(a, n, z, b):
    for i in range(7, -1, -2):
        a[i] += 1.0
    for i in range(n[0] % 4, 8, 3):
        a[i] += 2.0
    for i in reversed(range(4)):
        a[i] = a[i] * 2.0 + i
    for i in range(5, 5):
        a[i] = 1000.0
    for i in range(3, 0):
        a[i] = 1000.0
    n[2] = i


def loop_variables_outlive_loops(a, n, z, b):
    for i in range(5):
        a[i] += i
    n[0] = i
    for k in (1, 4, 7):
        n[1] += k
    n[2] = k
    for i in range(6):
        i = i * 2
        n[3] += i


def while_loops(a, n, z, b):
    i = 0
    while i < 8 and a[i] < 5.0:
        i += 1
    n[0] = i
    while False:
        n[1] = 1000
    while True:
        i -= 1
        if i < 2:
            break
        if i % 2:
            continue
        n[2] += i
    n[3] = i
    while (j := n[4]) > 0:
        n[4] = j - 3


def nothing_after_a_return(a, n, z, b):
    a[0] = 3.0
    if n[0] > -1000:
        a[1] = 4.0
        return
    a[2] = 1000.0


def functions_inside(a, n, z, b):
    scale = 3.0

    def scaled(x, factor=scale, *, offset=0.0):
        return x * factor + offset

    add = lambda x, y=1.0: x + y
    scale = 100.0
    a[0] = scaled(a[1]) + scaled(a[2], 2.0, offset=5.0) + add(1.0) + add(1.0, y=2.0)
    a[3] = (lambda: a[4])()


def functions_with_counted_rest(a, n, z, b):
    def total(first, *rest):
        for x in rest:
            first = first + x
        return first

    values = (a[1], a[2], 3.0)
    a[0] = total(a[0], *values) + total(1.0)


def functions_of_the_operator_module(a, n, z, b):
    a[0] = operator.add(a[1], operator.mul(a[2], 2.0))
    b[0] = operator.lt(a[1], a[2])
    n[0] = operator.xor(n[1], n[2]) + operator.lshift(n[3], 1)
    n[1] = pow(n[1], 2)


def reductions_over_tuples(a, n, z, b):
    values = (a[0], a[1], a[2])
    a[3] = sum(values) + sum((1.0, 2.0), 3.0)
    a[4] = max(values) - min(values) + max(a[0], 2.0)
    b[0] = any((a[0] > 3.0, b[1]))
    b[1] = all((True, b[2])) and not any(())
    n[0] = len(tuple((n[0], n[1])))
    quotient, rest = divmod(n[1], 4)
    n[2] = quotient * 100 + rest


def conversions(a, n, z, b):
    n[0] = int(a[0]) + int(-a[1]) + int(n[2]) + int(b[0])
    a[2] = float(n[1]) + float(a[3]) + float(b[1])
    b[2] = bool(n[0])
    b[3] = bool(a[0])
    n[3] = (
        round(a[4]) + round(n[4]) + math.floor(-a[1]) + math.ceil(a[1]) + math.trunc(float(-a[3]))
    )
    a[5] = abs(-a[5]) + abs(n[5])
    n[6] = n[6].item()


def several_targets(a, n, z, b):
    x = y = a[0] + 1.0
    a[1] = a[2] = x * y
    n[0] = n[n[0] % 8] = 7


def augmented_assignments(a, n, z, b):
    a[0] += 1.5
    a[1] -= a[0]
    a[2] *= a[2]
    a[3] /= 4.0
    n[0] //= 3
    n[1] %= 4
    n[2] **= 2
    n[3] <<= 2
    n[4] >>= 1
    n[5] &= 6
    n[6] |= 9
    n[7] ^= 5
    n[n[5] % 8] += 100
    total = 1
    total += n[0]
    n[0] = total


def annotations(a, n, z, b):
    x: float = 3
    i: int = n[0]
    a[0] = x / 2
    n[1] = i + 1


def slices_of_tuples(a, n, z, b):
    values = (a[0], a[1], a[2], a[3])
    a[4] = sum(values[1:3]) + values[::-1][0] + values[-2]
    a[5] = values[n[0] % 4]


def powers(a, n, z, b):
    a[0] = a[0] ** 2 + a[1] ** 3 + a[2] ** 4 + a[3] ** 1 + a[4] ** 0
    n[0] = n[0] ** 2 + n[1] ** 3 + n[2] ** 0
    n[1] = n[3] ** (n[4] % 5)


def assertions_that_hold(a, n, z, b):
    assert True
    assert n[0] == n[0], "a number is itself"
    a[0] = 2.0


@cases(dict(globals()))
def test_kernel_does_what_python_does(function, debug):
    check(function, debug)
