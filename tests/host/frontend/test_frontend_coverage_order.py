"""What is evaluated when: Python's order, and values that keep what they were made of."""

from python_reference import Pair, cases, check

# ruff: noqa: E731
# The functions are written as people write them, not as linters want it.


def operands_are_evaluated_from_left_to_right(a, n, z, b):
    def bump(i):
        n[i] += 1
        a[i] += 1.0
        z[i % 4] += 1.0
        return n[i]

    a[5] = a[0] + bump(0)
    a[6] = (a[1], a[2])[0] * bump(1)
    z[3] = z[1] * bump(1)
    a[7] = a[n[2] % 8] - bump(2)


def receivers_are_evaluated_before_arguments(a, n, z, b):
    def bump(i):
        n[i] += 1
        a[i] += 1.0
        return a[i]

    a[4] = Pair(a[2], a[3]).scaled(bump(2))
    a[5] = (a[0], a[1], (a[0], 2.0))[2][0] + bump(0)
    a[6] = max(a[1], bump(1), a[1])


def items_are_evaluated_from_left_to_right(a, n, z, b):
    def bump(i):
        n[i] += 1
        a[i] += 1.0
        return n[i]

    x = (a[0], bump(0), a[0], n[0])
    a[4] = x[0] - x[2]
    n[4] = x[1] * x[3]
    y, w = a[1], bump(1)
    a[5] = y - w


def several_targets_get_one_value(a, n, z, b):
    a[0] = a[1] = x = a[2] = a[3] = a[0] + a[2]
    z[0] = z[1] = z[2] = z[3]
    n[n[0] % 4] = n[0] = n[1] = y = n[5] = n[2]
    a[4] = a[5] = x + y
    (a[6], c), d = t = (a[7], n[6]), a[6]
    n[6] = c + (d > 1.0) + t[0][1]


def ranges_keep_their_bounds(a, n, z, b):
    r = range(n[0] % 3, 5)
    n[0] = 100
    for i in r:
        a[i] += 1.0


def methods_keep_their_record(a, n, z, b):
    p = Pair(a[0], a[1])
    f = p.scaled
    a[0] = 1000.0
    a[2] = f(2.0)


def methods_keep_what_their_record_was_made_of(a, n, z, b):
    f = Pair(a[0], a[1]).scaled
    a[0] = 1000.0
    a[2] = f(2.0)


def functions_inside_see_later_values(a, n, z, b):
    x = a[0]
    f = lambda: x + 1.0
    x = a[1]
    a[2] = f()


def defaults_are_kept(a, n, z, b):
    x = a[0]
    f = lambda y=x: y + 1.0
    x = 5.0
    a[0] = 100.0
    a[2] = f()


def defaults_keep_elements(a, n, z, b):
    f = lambda y=a[0]: y + 1.0
    a[0] = 100.0
    a[2] = f()


def tuples_keep_elements(a, n, z, b):
    t = (a[0], a[1])
    a[0] = 100.0
    a[2] = t[0]


def ranges_in_tuples_keep_their_bounds(a, n, z, b):
    t = (range(n[0] % 3, 4), 1)
    n[0] = 100
    for i in t[0]:
        a[i] += 1.0


def bounds_are_evaluated_once(a, n, z, b):
    for i in range(n[0] % 4, n[0] % 4 + n[1] % 3):
        n[0] = 50
        n[1] = 60
        a[i % 8] += 1.0


def bounds_of_reversed_ranges_are_evaluated_once(a, n, z, b):
    for i in reversed(range(n[0] % 4, 6)):
        n[0] = 50
        a[i] = a[i] * 2 + i


def comparisons_are_evaluated_from_left_to_right(a, n, z, b):
    def bump(i):
        a[i] += 1.0
        return a[i]

    b[0] = a[0] < bump(0) < a[0] + 0.5
    b[1] = a[1] == bump(1)
    b[2] = (a[2], 1.0) == (bump(2), 1.0)
    b[3] = a[3] in (bump(3), 2.0)


def targets_are_evaluated_after_values(a, n, z, b):
    def bump(i):
        n[i] += 1
        a[i] += 1.0
        return n[i]

    a[0] += bump(0)
    a[bump(1) % 8] -= bump(1)
    a[n[2] % 8], a[3] = bump(2), a[n[2] % 8]


@cases(dict(globals()))
def test_kernel_evaluates_as_python_does(function, debug):
    check(function, debug)
