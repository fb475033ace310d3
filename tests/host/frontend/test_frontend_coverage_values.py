"""What has no meaning outside a kernel, or another one than in Python: the values that come out."""

import math

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.errors import CompileError, UserInputError
from speedmetal.frontend.infer import infer_function, infer_kernel
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.system import deep_stack


def run(function, *arrays, grid=1, threads=None, debug=0):
    """The arrays after a launch."""
    sm.kernel(function)(*arrays, grid=grid, threads=threads, debug=debug)
    return [array.tolist() for array in arrays]


def floats(*values):
    return np.array(values, np.float32)


def ints(*values):
    return np.array(values, np.int32)


def test_sizes_of_own_memory_are_constants():
    def sizes(n):
        own = sm.thread_array((2, 3), sm.int32)
        n[0] = own.size
        n[1] = own.shape[1]
        n[2] = len(own[0])
        n[3] = own.ndim * 10 + own[1].ndim
        for i in sm.static_range(own.size):  # only a constant unrolls
            own[i // 3, i % 3] = i
        n[4] = own[-1, -1]

    assert run(sizes, ints(0, 0, 0, 0, 0)) == [[6, 3, 3, 21, 5]]


def test_memory_sized_at_launch_knows_its_size():
    def reverse(a):
        tile = sm.threadgroup_array(a.size, sm.float32)
        i = sm.thread_index_in_threadgroup()
        tile[i] = a[i]
        sm.threadgroup_barrier()
        a[i] = tile[-1 - i] if tile.shape[0] > 100 else tile[tile.size - 1 - i]

    values = np.arange(6, dtype=np.float32)
    assert run(reverse, values, grid=6, threads=6) == [[5, 4, 3, 2, 1, 0]]


def test_signs_of_truths():
    def signs(n, b):
        n[0] = +b[0] + +(n[0] > 100)
        n[1] = -b[0]
        b[1] = ~b[0]
        b[2] = ~True  # noqa: RUF100 - as NumPy's booleans and the array API have it
        n[2] = b[0] + b[0]

    assert run(signs, ints(0, 0, 0), np.array([1, 1, 1], np.bool_)) == [
        [1, -1, 2],
        [True, False, False],
    ]


def test_collectives_of_truths_count():
    def count(n):
        i = sm.thread_index_in_simdgroup()
        n[i] = sm.simd_sum(i > 20)

    assert run(count, np.zeros(32, np.int32), grid=32, threads=32) == [[11] * 32]


def test_collectives_of_complex_numbers_act_on_both_parts():
    def spread(z):
        i = sm.thread_index_in_simdgroup()
        z[i] = sm.simd_sum(z[i]) + sm.simd_broadcast(z[i], 3)

    values = np.arange(32) * (1 + 2j)
    found = values.astype(np.complex64)
    run(spread, found, grid=32, threads=32)
    np.testing.assert_array_equal(found, np.full(32, values.sum() + values[3]))


def test_matrices_are_filled():
    def fill(a, h):
        whole = sm.simdgroup_matrix_fill(3)
        sm.simdgroup_store(whole, a, (0, 0))
        sm.simdgroup_store(sm.simdgroup_matrix_fill(h[0, 0]), h, (0, 0))

    a, h = np.zeros((8, 8), np.float32), np.full((8, 8), 2, np.float16)
    h[1:] = 0
    run(fill, a, h, grid=32, threads=32, debug=1)
    assert (a == 3).all()
    assert (h == 2).all()


def test_matrices_beyond_the_array_are_told():
    def fill(a):
        sm.simdgroup_store(sm.simdgroup_matrix(1.0, sm.float32), a, (4, 0))

    with pytest.raises(sm.KernelError, match="out of bounds"):
        run(fill, np.zeros((8, 8), np.float32), grid=32, threads=32, debug=1)


def test_constants_keep_their_precision_until_they_meet_a_type():
    def constants(a, d):
        x = 2 * math.pi
        a[0] = x
        d[0] = x
        d[1] = sm.sqrt(2.0) + sm.maximum(1.5, 2.5)
        d[2] = math.hypot(3, 4) + abs(-3) + sm.abs(-2) + math.log2(8.0)

    _, found = run(constants, floats(0), np.zeros(3))
    assert found == [2 * math.pi, math.sqrt(2.0) + 2.5, 13.0]


def test_explicit_conversions_of_constants():
    def convert(n, z):
        n[0] = sm.int8(-1.9)
        n[1] = sm.int8(1e9)
        n[2] = sm.int8(-math.inf)
        n[3] = sm.int8(math.inf)
        n[4] = sm.int32(math.nan)
        n[5] = sm.uint8(2.5) + sm.bool_(3) + sm.int16(sm.float32(7.9))
        z[0] = sm.complex64(3)
        z[1] = complex(math.inf, 1)

    numbers, values = run(convert, ints(0, 0, 0, 0, 0, 0), np.zeros(2, np.complex64))
    assert numbers == [-1, 127, -128, 127, 0, 10]
    assert values == [3 + 0j, complex(math.inf, 1)]


def test_names_of_complex_numbers_hold_the_wider_type():
    def bind(narrow, wide, facts, given):
        total, real = 0j, 0.0
        for k in range(2):
            total = total + wide[k]
            real = real + wide[k]
        wide[0] = total + real
        either = narrow[0]
        if facts[0]:
            either = wide[1]
        weak = 0j
        for k in range(2):
            weak = weak + narrow[k] * given
        wide[1] = either
        facts[0] = total.dtype == sm.complex128 and real.dtype == sm.complex128
        facts[1] = either.dtype == sm.complex128
        facts[2] = weak.dtype == sm.complex64
        facts[3] = given.dtype == sm.complex128 and (2 * given).real.dtype == sm.float64

    narrow, wide = np.array([1j, 2], np.complex64), np.array([1 / 3 + 2j, 1 / 7])
    third, seventh = wide.tolist()
    facts = np.ones(4, np.bool_)
    sm.kernel(bind)(narrow, wide, facts, 0.1 + 0.1j, grid=1)
    assert facts.all()
    assert wide.tolist() == [2 * (third + seventh), seventh]


def test_complex_numbers_of_two_parts():
    def convert(narrow, wide, x, y):
        narrow[0], narrow[1] = sm.complex64(x[0], y[0]), complex(x[0], 0.1)
        narrow[2], wide[0] = sm.complex64(x[0], imag=2), sm.complex128(x[0], y[0])
        wide[1], wide[2] = complex(y[0], x[0]), sm.complex128(0.1, 0.1)
        wide[3], wide[4] = complex(0.1, 0.2), sm.complex128(narrow[1])

    narrow, wide = np.zeros(3, np.complex64), np.zeros(5, np.complex128)
    x, y = np.float32([0.1]), np.array([0.3])
    sm.kernel(convert)(narrow, wide, x, y, grid=1)
    single = float(x[0])
    assert narrow.tolist() == np.complex64([0.1 + 0.3j, 0.1 + 0.1j, 0.1 + 2j]).tolist()
    last = complex(narrow[1])
    assert wide.tolist() == [single + 0.3j, 0.3 + single * 1j, 0.1 + 0.1j, 0.1 + 0.2j, last]


def test_choices_that_are_known_while_compiling():
    def choose(a, n):
        a[0] = sm.select(True, 1.0, 2.0) + sm.where(n.dtype == sm.float32, 10.0, 20.0)
        a[1] = sm.select(n[0] > 0, a[2], -1.0)
        if a.dtype == np.float32 and a.dtype not in ("bfloat16", "no dtype"):
            a[3] = 5.0

    assert run(choose, floats(0, 0, 7, 0), ints(1)) == [[21, 7, 7, 5], [1]]
    assert run(choose, floats(0, 0, 7, 0), ints(0))[0] == [21, -1, 7, 5]


HALF = np.float32(0.5)


def test_choices_of_pairs():
    def choose(z, a):
        z[0] = sm.select(a[0] > 0.0, z[1], z[2])
        first, second = sm.select(a[0] > 0.0, (a[1], -HALF), (a[2], HALF))
        a[3] = first + second
        if ():
            a[4] = 100.0
        a[4] = a[4] + bool(a[4] < 2.0)

    z = np.array([0, 1 + 2j, 3 - 1j], np.complex64)
    assert run(choose, z.copy(), floats(1, 10, 20, 0, 0)) == [
        [1 + 2j, 1 + 2j, 3 - 1j],
        [1, 10, 20, 9.5, 1],
    ]
    assert run(choose, z.copy(), floats(-1, 10, 20, 0, 2))[1] == [-1, 10, 20, 20.5, 2]


def test_conditions_that_end_a_loop_midway():
    """The constant at the end of a condition is met only where the parts before it were true."""

    def count(n):
        def take(k):
            n[0] += 1
            return n[k] > 0

        while take(1) and False:
            n[2] = 100
        while take(2) and take(3):
            n[3] -= 1

    assert run(count, ints(0, 1, 1, 3)) == [[9, 1, 1, 0]]


def test_parts_of_floats():
    def parts(a):
        fraction, whole = sm.modf(a[0])
        a[1], a[2] = fraction, whole
        mantissa, exponent = sm.frexp(a[0])
        a[3], a[4] = mantissa, exponent
        a[5] = sm.modf(a[6])[0]
        a[7] = sm.modf(3)[1]

    assert run(parts, floats(-6.25, 0, 0, 0, 0, 9, math.inf, 9)) == [
        [-6.25, -0.25, -6, -0.78125, 3, 0, math.inf, 3]
    ]


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.uint8, np.int64])
def test_quotients_rounded_up(dtype):
    def divide(n):
        for i in range(1, 6):
            n[i] = sm.cdiv(n[0], n[i])
        n[6] = sm.cdiv(7, 2)

    largest = np.iinfo(dtype).max  # a + b - 1 would overflow
    found = np.array([largest, 1, 2, 3, 4, 5, 0], dtype)
    expected = [largest, *(-(-int(largest) // k) for k in range(1, 6)), 4]
    assert run(divide, found) == [expected]


def test_bits_of_constants_take_the_size_asked_for():
    def bits(n, h):
        n[0] = sm.bitcast(1.0, sm.int32)
        n[1] = sm.bitcast(1.0, sm.uint16)
        h[0] = sm.bitcast(0x3C00, sm.float16)

    assert run(bits, ints(0, 0), np.zeros(1, np.float16)) == [[0x3F800000, 0x3C00], [1.0]]


def test_prints_of_every_kind(capsys):
    def show(z, a):
        print("z", z[0], (a[0], 1), (2,), None, sm.float32, sep="|", end=".\n")  # noqa: T201
        print(True, a[0] > 1.0, "x", sep="")  # noqa: T201

    run(show, np.array([1.5 - 2j], np.complex64), floats(0.5))
    assert capsys.readouterr().out == ("z|(1.5, -2.0j)|(0.5, 1)|(2,)|None|float32.\nTrueFalsex\n")


def test_lengths_and_copies_of_ranges():
    def lengths(n):
        bounds = sm.static_range(1, 10, 3)
        n[0] = len(bounds)
        n[1] = sum(bounds)
        first, second, third = tuple(bounds)
        n[2] = first * 100 + second * 10 + third

    assert run(lengths, ints(0, 0, 0)) == [[3, 12, 147]]


def test_labels_of_nested_calls_and_loops():  # noqa: C901 - the nesting is the point
    """A return from within two loops, inside a call inside a loop, ends the call alone."""

    def find(n):
        def position(value):
            for row in range(3):
                for column in sm.static_range(3):
                    if n[row * 3 + column] == value:
                        return row * 10 + column
            return -1

        total = 0
        for k in range(4):
            found = position(k * 3)
            if found < 0:
                continue
            total = total + found
            if total > 30:
                break
        n[9] = total

    def python(values):
        total = 0
        for k in range(4):
            at = values.index(k * 3) if k * 3 in values else -1
            if at < 0:
                continue
            total += at // 3 * 10 + at % 3
            if total > 30:
                break
        return total

    for seed in range(10):
        values = np.random.default_rng(seed).permutation(12)[:9].tolist()
        assert run(find, ints(*values, 0))[0][9] == python(values)


def test_functions_of_one_scalar_are_made_alone():
    """What library code behind intrinsics is made of."""

    def halved(x, count):
        result = x
        for _ in range(3):
            result = result * 0.5
        return result + count

    function = infer_function(halved, (sm.float32, sm.int32))
    assert (function.name, function.result, len(function.parameters)) == ("halved", sm.float32, 2)

    def wrong(x):
        return x + missing  # noqa: F821 - the fault

    with pytest.raises(CompileError, match="'missing' does not exist"):
        infer_function(wrong, (sm.float32,))

    def too_large(x):
        if x > 0.0:
            return 2**70
        return x

    with pytest.raises(CompileError, match="does not fit into 64 bits"):
        infer_function(too_large, (sm.int32,))


@pytest.mark.tier("default")
def test_deep_programs_are_refused_with_a_message(tmp_path, monkeypatch):
    """Python's stack ends with advice, not with a RecursionError."""
    monkeypatch.setattr(deep_stack, "_DEEPEST_FRAMES", 10_000)
    count = 2000
    lines = [f"def f{k}(a):\n    f{k + 1}(a)\n" for k in range(count)]
    path = tmp_path / "deep.py"
    path.write_text("\n".join(lines) + f"def f{count}(a):\n    a[0] = 1.0\n")
    names: dict = {}
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102 - our own text
    with pytest.raises(UserInputError, match="nested too deeply; put a part of it into a function"):
        infer_kernel(names["f0"], parse_signature("f32[:]"))
