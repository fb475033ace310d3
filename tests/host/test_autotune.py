# ruff: noqa: S301 - what is unpickled comes from here
"""`@sm.autotune` on the CPU: what may be stated, what is chosen, refused, and left as it was."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.tuning import measuring, search
from speedmetal.tuning.table import Trial, Tuning


@sm.kernel
def scaled(a, factor, b, each, offset=0):
    first = each * sm.thread_position_in_grid().x
    for k in sm.static_range(each):
        b[first + k] = factor * a[first + k] + offset


@sm.autotune(threads=[32, 64], each=[1, 2])
@sm.kernel
def of_module(a, b, each):
    first = each * sm.thread_position_in_grid().x
    for k in sm.static_range(each):
        b[first + k] = 2 * a[first + k]


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    """Fewer rounds: what is fastest is not what is proved here."""
    monkeypatch.setattr(measuring, "ROUNDS", 3)
    with sm.device("cpu"):
        yield


def pair(size=64, dtype=np.float32):
    return np.arange(size, dtype=dtype), np.zeros(size, dtype)


def tuned_scaled(**options):
    return sm.autotune(threads=[32, 64], each=[1, 2], **options)(scaled)


# --- What is stated ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: sm.autotune(thread=[1])(scaled),
            (
                "'thread' is no parameter of it; did you mean threads?"
                " its parameters are a, factor, b, each, offset; threads and groups can be tuned as"
                " well"
            ),
        ),
        (
            lambda: sm.autotune(each=[])(scaled),
            "the list of each is empty; give one value or more",
        ),
        (
            lambda: sm.autotune()(scaled),
            (
                "nothing to choose among; give values, such as"
                " threads=[128, 256], or a list of configurations"
            ),
        ),
        (
            lambda: sm.autotune([])(scaled),
            (
                "nothing to choose among; give values, such as"
                " threads=[128, 256], or a list of configurations"
            ),
        ),
        (
            lambda: sm.autotune(each=4)(scaled),
            ("expected a list of values for each, got 4; write each=[4]"),
        ),
        (
            lambda: sm.autotune([128, 256])(scaled),
            (
                'expected configurations such as {"threads": 256}, '
                "got 128; values of one name are given by name: sm.autotune(threads=[128, 256])"
            ),
        ),
        (
            lambda: sm.autotune([{"each": 1}, {"threads": 2}])(scaled),
            ("every configuration must give the same names: expected each, got threads"),
        ),
        (
            lambda: sm.autotune([{"each": 1}], threads=[2])(scaled),
            (
                "expected a list of configurations, or a list of values"
                " for each name, got both; write each configuration in full"
            ),
        ),
        (
            lambda: sm.autotune(threads=[0, 32])(scaled),
            ("expected threads of 1 or more, one number or up to three (x, y, z), got 0"),
        ),
        (
            lambda: sm.autotune(threads=[(1, 2, 3, 4)])(scaled),
            (
                "expected threads of 1 or more, one number or up to"
                " three (x, y, z), got (1, 2, 3, 4)"
            ),
        ),
        (
            lambda: sm.autotune(each=[1j])(scaled),
            (
                "each=1j: sm.static expected an int, a bool, a float or"
                " a tuple of them, got complex: 1j; give arrays and other values to the kernel"
                " directly, and functions, dtypes and strings too, which are static anyway"
            ),
        ),
        (
            lambda: sm.autotune(each=[1], key=["each"])(scaled),
            ("key='each' is no parameter of it that is not tuned; these are a, factor, b, offset"),
        ),
        (
            lambda: sm.autotune(scaled),
            "sm.autotune expected what to choose among; write @sm.autotune(threads=[128, 256])",
        ),
        (
            lambda: sm.autotune(threads=[1])(len),
            (
                "sm.autotune expected a kernel, got a builtin_function_or_method; write @sm.kernel"
                " below it, above `def`"
            ),
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(make, message):
    with pytest.raises(sm.UserInputError) as caught:
        make()
    assert str(caught.value).removeprefix("sm.autotune of kernel 'scaled': ") == message


def test_every_combination_is_tried_and_so_is_what_is_listed():
    a, b = pair()
    grid = tuned_scaled()
    grid(a, 2.0, b, grid=lambda c: 64 // c.each)
    assert [trial.configuration for trial in grid.tuned[0].trials] == [
        *("threads=32, each=1", "threads=32, each=2"),
        *("threads=64, each=1", "threads=64, each=2"),
    ]
    listed = sm.autotune([{"each": 4, "threads": (8, 1)}, {"each": 8, "threads": 2}])(scaled)
    listed(a, 2.0, b, grid=lambda c: 64 // c["each"])
    assert [trial.configuration for trial in listed.tuned[0].trials] == [
        *("each=4, threads=(8, 1)", "each=8, threads=2"),
    ]
    np.testing.assert_array_equal(b, 2 * a)


def test_arguments_are_given_as_to_a_function_without_what_is_tuned():
    a, b = pair()
    tuned = tuned_scaled()
    grid = lambda c: 64 // c.each  # noqa: E731
    for arguments, named in (
        ((a, 3.0, b), {"offset": 1}),
        ((a,), {"b": b, "factor": 3.0, "offset": 1}),
        ((a, 3.0, b, 1), {}),
    ):
        b[:] = 0
        tuned(*arguments, grid=grid, **named)
        np.testing.assert_array_equal(b, 3 * a + 1)
    with pytest.raises(sm.LaunchError, match=r"each is chosen by sm.autotune; leave it out"):
        tuned(a, 3.0, b, each=2, grid=64)
    for options in ({"grid": 64, "threads": 32}, {"groups": 2, "threads": 32}):
        with pytest.raises(sm.LaunchError, match=r"threads is chosen by sm.autotune; leave it out"):
            tuned(a, 3.0, b, **options)
    with pytest.raises(sm.LaunchError, match=r"takes 4 arguments \(a, factor, b, offset\), got 1"):
        tuned(a, grid=64)
    with pytest.raises(sm.LaunchError, match="both given"):
        tuned(a, 3.0, b, grid=64, groups=lambda c: 3)


def test_groups_are_tuned():
    @sm.autotune(groups=[1, 2, 8], threads=[32])
    @sm.kernel
    def filled(a):
        step = sm.threads_per_grid().x
        for i in range(sm.thread_position_in_grid().x, a.size, step):
            a[i] = 5

    a = np.zeros(1000, np.int32)
    filled(a)
    assert (a == 5).all()
    with pytest.raises(sm.LaunchError, match=r"groups is chosen by sm.autotune"):
        filled(a, groups=3)


def test_functions_and_dtypes_are_tuned():
    def by_product(x):
        return x * x

    def by_power(x):
        return x**2

    @sm.autotune(square=[by_product, by_power], kind=[sm.float32, sm.float64])
    @sm.kernel
    def squared(a, square, kind):
        i = sm.thread_position_in_grid().x
        a[i] = sm.float32(square(kind(a[i])))

    a = np.arange(9, dtype=np.float32)
    squared(a, grid=9)
    np.testing.assert_array_equal(a, np.arange(9) ** 2)
    assert squared.tuned[0].trials[1].configuration == "square=by_product, kind=float64"


# --- For which arguments -------------------------------------------------------------------------


def counted(tuned, *calls):
    """After each call, for how many keys something was found."""
    found = []
    for arguments, grid in calls:
        tuned(*arguments, grid=grid)
        found.append(len(tuned.tuned))
    return found


def test_sizes_count_rounded_up_to_powers_of_two():
    def call(size, dtype=np.float32):
        a, b = pair(size, dtype)
        return (a, 2.0, b), lambda c: size // c.each

    sizes = call(1024), call(1000), call(514), call(512), call(1026), call(1024, np.float64)
    assert counted(tuned_scaled(), *sizes) == [1, 1, 1, 2, 3, 4]


def test_a_grid_of_numbers_counts_and_so_do_types_of_numbers():
    a, b = pair()
    tuned = sm.autotune(threads=[32, 64], each=[1])(scaled)
    calls = ((a, 2.0, b), 64), ((a, 3.0, b), 64), ((a, 3.0, b), 60), ((a, 3.0, b), 4)
    assert counted(tuned, *calls, ((a, 3, b), 4)) == [1, 1, 1, 2, 3]


def test_what_key_names_counts_exactly_and_nothing_else_does():
    def call(size, factor):
        a, b = pair(size)
        return (a, factor, b), lambda c: size // c.each

    by_factor = tuned_scaled(key=["factor"])
    calls = call(64, 2), call(1000, 2), call(64, 3), call(64, 3.0)
    assert counted(by_factor, *calls) == [1, 1, 2, 3]
    by_shape = tuned_scaled(key=["a"])
    assert counted(by_shape, call(64, 2), call(62, 2), call(64, 5)) == [1, 2, 2]


def test_key_names_tuples_and_records():
    @sm.autotune(threads=[32, 64], key=["pair"])
    @sm.kernel
    def filled(pair):
        array, value = pair
        array[sm.thread_position_in_grid().x] = value

    a = np.zeros(8, np.int32)
    for array, value, keys in ((a, 3, 1), (a, 4, 2), (a[:5], 4, 3), (a, 3, 3)):
        filled((array, value), grid=array.size)
        assert (array == value).all()
        assert len(filled.tuned) == keys


def test_values_of_static_parameters_count():
    @sm.autotune(threads=[32, 64])
    @sm.kernel
    def filled(a, value: sm.static[int]):
        a[sm.thread_position_in_grid().x] = value

    a = np.zeros(8, np.int32)
    for value, keys in ((3, 1), (4, 2), (3, 2)):
        filled(a, value, grid=8)
        assert (a == value).all()
        assert len(filled.tuned) == keys


# --- That it changes nothing ---------------------------------------------------------------------


@sm.kernel
def accumulated(out, x, steps, each):
    first = each * sm.thread_position_in_grid().x
    for k in sm.static_range(each):
        for step in range(steps):
            out[first + k] = out[first + k] * 3 + x[first + k] - step


@given(
    st.integers(1, 20),
    st.integers(0, 3),
    st.lists(st.sampled_from([32, 64, 96, 4096]), min_size=1, max_size=3),
    st.permutations([1, 2, 4]),
    st.randoms(use_true_random=False),
)
def test_tuned_and_plain_launches_do_the_same(length, steps, threads, each, random):
    """Whatever is tuned, in whatever order, and though the kernel goes on from what it wrote."""
    x = np.array([random.randrange(-9, 9) for _ in range(4 * length)], np.int64)
    expected, out = x[::-1].copy(), x[::-1].copy()
    accumulated(expected, x, steps, sm.static(1), grid=x.size, device="cpu")
    tuned = sm.autotune(threads=[*threads, 128], each=each)(accumulated)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "ROUNDS", 1)
        tuned(out, x, steps, grid=lambda c: x.size // c.each, device="cpu")
    np.testing.assert_array_equal(out, expected)


def test_arrays_are_as_before_when_tuning_is_interrupted(monkeypatch):
    a, b = pair()
    b[:] = 7
    tuned = tuned_scaled()
    monkeypatch.setattr(measuring, "gpu_time", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tuned(a, 2.0, b, grid=lambda c: 64 // c.each)
    assert (b == 7).all()
    assert not tuned.tuned


def interrupt(_device):
    raise KeyboardInterrupt


def test_tuning_alone_launches_nothing():
    a, b = pair()
    tuned = tuned_scaled()
    table = tuned.tune(a, 2.0, b, grid=lambda c: 64 // c.each)
    assert not b.any()
    assert tuned.tuned == (table,)
    assert table.trials[table.chosen].seconds > 0


def test_nothing_is_measured_twice_for_the_same_call(monkeypatch):
    a, b = pair()
    tuned = tuned_scaled()
    tuned(a, 2.0, b, grid=lambda c: 64 // c.each)
    monkeypatch.setattr(search, "measure", None)
    tuned(a, 2.0, b, grid=lambda c: 64 // c.each)
    np.testing.assert_array_equal(b, 2 * a)


def test_threads_at_once_measure_once(monkeypatch):
    calls = []
    real = search.measure
    monkeypatch.setattr(search, "measure", lambda *given: calls.append(1) or real(*given))
    tuned = tuned_scaled()
    arrays = [pair() for _ in range(4)]

    def work(a, b):
        tuned(a, 2.0, b, grid=lambda c: 64 // c.each, device="cpu")

    workers = [threading.Thread(target=work, args=each) for each in arrays]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(calls) == 1
    for a, b in arrays:
        np.testing.assert_array_equal(b, 2 * a)


# --- What cannot be measured, or launched --------------------------------------------------------


def test_a_wrong_kernel_is_said_to_be_wrong():
    @sm.autotune(threads=[32, 64])
    @sm.kernel
    def wrong(a):
        a[sm.thread_position_in_grid().x] = unknown  # noqa: F821

    with pytest.raises(sm.CompileError, match="unknown"):
        wrong(np.zeros(3, np.float32), grid=3)


def test_arrays_that_may_not_be_written_to_are_refused():
    a, b = pair()
    b.flags.writeable = False
    with pytest.raises(sm.LaunchError, match="writes to argument b, which is read-only"):
        tuned_scaled()(a, 2.0, b, grid=lambda c: 64 // c.each)


def test_a_configuration_that_does_not_compile_is_skipped_with_the_reason():
    @sm.autotune(each=[0, 1])
    @sm.kernel
    def kept(a, each):
        own = sm.thread_array(each, sm.float32)
        own[0] = 2
        a[sm.thread_position_in_grid().x] = own[0]

    a = np.zeros(3, np.float32)
    kept(a, grid=3)
    assert (a == 2).all()
    table = kept.tuned[0]
    assert table.chosen == 1
    assert table.trials[0].seconds is None
    assert table.trials[0].reason
    assert "\n" not in table.trials[0].reason


def test_with_debug_nothing_is_measured(monkeypatch):
    a, b = pair()
    monkeypatch.setattr(search, "measure", None)
    tuned = tuned_scaled()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tuned(a, 2.0, b, grid=64, debug=1)
        with sm.debug_level(1):
            tuned(a, 2.0, b, grid=64)
    np.testing.assert_array_equal(b, 2 * a)
    with pytest.raises(sm.LaunchError, match="nothing measured"), sm.debug_level(2):
        tuned.tune(a, 2.0, b, grid=64)
    assert not tuned.tuned


def test_a_kernel_that_prints_does_so_once(capfd):
    @sm.autotune(threads=[32, 64])
    @sm.kernel
    def told(a):
        print("thread", sm.thread_position_in_grid().x)  # noqa: T201

    with pytest.warns(sm.AutotuneWarning) as caught:
        told(np.zeros(1, np.float32), grid=1)
    told(np.zeros(1, np.float32), grid=1)  # warnings are errors here
    assert str(caught[0].message) == (
        "sm.autotune of kernel 'told': nothing measured: it prints or asserts, and would do so many"
        " times; the first configuration is used: threads=32"
    )
    assert capfd.readouterr().out == "thread 0\n" * 2


def test_a_grid_of_no_threads_is_no_reason_to_measure():
    a, b = pair()
    tuned = tuned_scaled()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tuned(a, 2.0, b, grid=0)
    assert not b.any()
    assert not tuned.tuned


# --- As a kernel ---------------------------------------------------------------------------------


def test_it_is_copied_and_pickled():
    assert copy.copy(of_module) is of_module
    assert copy.deepcopy(of_module) is of_module
    assert pickle.loads(pickle.dumps(of_module)) is of_module
    other = pickle.loads(pickle.dumps(tuned_scaled(key=["a"])))
    a, b = pair()
    other(a, 2.0, b, grid=lambda c: 64 // c.each)
    np.testing.assert_array_equal(b, 2 * a)
    assert repr(other) == "<<kernel scaled(a, factor, b, each, offset)> tuned over threads, each>"


def test_it_is_a_method_and_a_function_of_other_kernels():
    @dataclass(frozen=True)
    class Scale:
        factor: float

        @sm.autotune(threads=[32, 64])
        @sm.kernel
        def apply(self, a):
            a[sm.thread_position_in_grid().x] *= self.factor

    a = np.ones(5, np.float32)
    Scale(3.0).apply(a, grid=5)
    assert (a == 3).all()

    @sm.kernel
    def outer(a, b):
        of_module(a, b, 1)

    a, b = pair()
    outer(a, b, grid=64)
    np.testing.assert_array_equal(b, 2 * a)


def test_its_kernel_is_looked_at():
    assert "2.0f32 * a[" in sm.code(of_module, "f32[:] f32[:] static(1)", stage="ir")
    assert sm.occupancy(of_module, *pair(), sm.static(2)).kernel == "of_module"
    with pytest.raises(sm.LaunchError, match="sizes are options of the call"):
        of_module[1, 2]


# --- What is shown -------------------------------------------------------------------------------


def test_the_table_tells_everything():
    trials = (
        Trial("threads=64", 3e-6, "left out after 3 of 15 rounds"),
        Trial("threads=128", 2e-6),
        Trial("threads=4096", None, "too many"),
    )
    table = Tuning("f", "cuda (a card)", "f32[:]; 1024", trials, 1)
    assert str(table) == (
        "f on cuda (a card), for f32[:]; 1024: measured\n"
        "  threads=64           3.0 us    1.50  left out after 3 of 15 rounds\n"
        "* threads=128          2.0 us    1.00  chosen\n"
        "  threads=4096  too many"
    )
    assert [table.ratio(n) for n in range(3)] == [1.5, 1.0, None]
    assert repr(tuned_scaled().tuned) == "nothing was tuned yet"


def test_a_key_is_told_by_types_and_sizes():
    a, b = pair(100)
    tuned = sm.autotune(threads=[32, 64], each=[1])(scaled)
    tuned(a, 2.0, b, grid=100)
    assert tuned.tuned[0].key == "f32[:] f32 f32[:] i32; 128, 128, 128"
