"""Launches made again by machine code: the same ones, or none, and then Python makes them."""

from __future__ import annotations

import gc
import re
import threading
import weakref

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import addressed_device, dry_device
from speedmetal.backends.cpu.image import CAN_MAP
from speedmetal.backends.cuda.driver.stream import CudaStream
from speedmetal.launch import direct
from speedmetal.profile import gpu_time

pytestmark = pytest.mark.usefixtures("nobody_waits")

LENGTH = 64
SHIFT = 1.0


@pytest.fixture
def device(driver, monkeypatch):
    monkeypatch.setattr(direct, "LAUNCHES_BEFORE", 2)
    return addressed_device(driver, monkeypatch)


@pytest.fixture
def add():
    @sm.kernel
    def add(a, b, c):
        i = sm.thread_position_in_grid().x
        c[i] = a[i] + b[i]

    return add


class InPython:
    """Counts the launches that Python gives to a stream, or leaves to others."""

    def __init__(self, monkeypatch):
        self.count = 0
        launch_now = CudaStream.launch_now

        def counted(stream, *given):
            self.count += 1
            launch_now(stream, *given)

        monkeypatch.setattr(CudaStream, "launch_now", counted)


@pytest.fixture
def in_python(monkeypatch):
    return InPython(monkeypatch)


def full(device, value, length=LENGTH):
    return sm.array(np.full(length, value, np.float32), device=device)


def known(add, device, **options):
    """Three arrays, for whose sum machine code has begun to stand."""
    arrays = full(device, 1), full(device, 2), full(device, 0)
    for _ in range(4):
        add(*arrays, grid=LENGTH, **options)
    assert add._launcher.again is not None
    device.synchronize()
    add(*arrays, grid=LENGTH, **options)  # which begins a batch
    return arrays


def test_a_call_that_was_made_before_goes_past_python_with_any_arrays_that_lie_alike(
    add, device, in_python
):
    x, y, out = full(device, 5), full(device, 6), full(device, 0)
    known(add, device)
    before = in_python.count
    add(x, y, y, grid=LENGTH)
    add(y, x, out, grid=LENGTH)
    assert in_python.count == before
    np.testing.assert_array_equal(out.numpy(), np.full(LENGTH, 16))


@pytest.mark.filterwarnings("ignore:sm.autotune")
def test_a_kernel_whose_sizes_are_chosen_goes_past_python_as_well(add, device, monkeypatch):
    monkeypatch.setenv("SPEEDMETAL_AUTOTUNE", "off")
    tuned = sm.autotune(threads=[32, 64])(add)
    arrays = full(device, 1), full(device, 2), full(device, 0)
    for _ in range(4):
        tuned(*arrays, grid=LENGTH)
    device.synchronize()
    tuned(*arrays, grid=LENGTH)  # which begins a batch
    launch = add.launch_bound
    monkeypatch.setattr(add, "launch_bound", None)
    tuned(arrays[0], arrays[2], arrays[2], grid=LENGTH)
    np.testing.assert_array_equal(arrays[2].numpy(), np.full(LENGTH, 4))
    monkeypatch.setattr(add, "launch_bound", launch)
    tuned(*arrays, grid=LENGTH)
    np.testing.assert_array_equal(arrays[2].numpy(), np.full(LENGTH, 3))


def test_a_batch_is_full_after_as_many_launches_as_ever(add, device, driver):
    a, b, c = known(add, device)
    driver.is_held = True
    for _ in range(200):
        add(a, c, c, grid=LENGTH)
    assert device.stream.open_serial - device.stream.completed_serial >= 3
    driver.is_held = False
    assert c.numpy()[0] == 203
    assert b.numpy()[0] == 2


@pytest.mark.parametrize(
    "options",
    [
        {"grid": LENGTH - 1},
        {"grid": (LENGTH,)},
        {"grid": True},
        {"grid": float(LENGTH)},
        {"grid": LENGTH, "threads": 32},
        {"grid": None, "groups": 2, "threads": 32},
        {"grid": LENGTH, "debug": 0},
        {"grid": LENGTH, "device": "cpu"},
    ],
)
def test_other_sizes_and_levels_are_other_calls(add, device, options):
    a, b, c = known(add, device)
    assert not add._launcher.again(
        (a, b, c), *map(options.get, ("grid", "groups", "threads", "debug", "device"))
    )
    outcomes = []
    for kernel in (add, sm.kernel(add.function, source=None)):
        c[:] = 0.0
        try:
            kernel(a, b, c, **options)
        except sm.LaunchError as error:
            outcomes.append(str(error))
        else:
            outcomes.append(c.numpy().tolist())
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "other",
    [
        lambda x: sm.array(np.arange(2 * LENGTH, dtype=np.float32), device=x.device)[::2],
        lambda x: sm.array(np.arange(LENGTH, dtype=np.int32), device=x.device),
        lambda x: x.reshape(1, -1)[0, ::-1],
        lambda x: x[: LENGTH - 1],
    ],
)
def test_arrays_that_lie_otherwise_are_another_call(add, device, other):
    a, b, c = known(add, device)
    x = other(a)
    sm.eval(x)
    device.synchronize()
    add(b, b, c, grid=LENGTH)
    assert not add._launcher.again((x, b, c), LENGTH, None, None, None, None)
    assert not add._launcher.again((a, b), LENGTH, None, None, None, None)
    assert not add._launcher.again((a, b, 1.0), LENGTH, None, None, None, None)


def test_each_of_some_sizes_in_turn_is_known(add, device, in_python):
    arrays = known(add, device)
    for size in (10, 20, 30):
        for _ in range(3):
            add(*arrays, grid=size)
    device.synchronize()
    add(*arrays, grid=LENGTH)
    before = in_python.count
    for size in (10, LENGTH, 20, 30, 10):
        add(*arrays, grid=size)
    assert in_python.count == before
    for size in range(31, 41):  # more than are kept
        for _ in range(3):
            add(*arrays, grid=size)
    arrays[2][:] = 0.0
    add(*arrays, grid=10)
    assert arrays[2].numpy().sum() == 30


def test_modes_around_a_call_are_seen(add, device, in_python):
    a, b, c = known(add, device)
    for around in (sm.debug_level(0), sm.math_mode("fast")):
        device.synchronize()
        add(a, b, c, grid=LENGTH)
        before = in_python.count
        with around:
            add(a, b, c, grid=LENGTH)
        assert in_python.count == before + 1


def test_numbers_among_the_arguments_may_differ(device, in_python):
    @sm.kernel
    def scale(a, unused, out, factor, number, ignored):
        i = sm.thread_position_in_grid().x
        out[i] = a[i] * factor + number

    a, out = full(device, 2), full(device, 0)
    for _ in range(5):
        scale(a, a, out, 1.0, 1, 1, grid=LENGTH)
    device.synchronize()
    scale(a, a, out, 1.0, 1, 1, grid=LENGTH)
    before = in_python.count
    scale(a, out, out, 3.5, -4, 7, grid=LENGTH)
    assert in_python.count == before
    assert out.numpy()[0] == 3
    for others in ((2, 1, 1), (2.0, 1.0, 1), (True, 1, 1), (1.0, 1, 2.0), (1.0, 1, 2**40)):
        assert not scale._launcher.again((a, a, out, *others), LENGTH, *[None] * 4)
    scale(a, a, out, np.float32(5), 2**31, 1, grid=LENGTH)
    assert out.numpy()[0] == 2**31 + 10


def test_a_grid_may_have_several_axes(device, in_python):
    @sm.kernel
    def table(a, b, out):
        at = sm.thread_position_in_grid()
        out[at.y, at.x] = a[at.x] + b[at.y]

    a, b, out = full(device, 1), full(device, 2), sm.zeros((LENGTH, LENGTH), device=device)
    for _ in range(5):
        table(a, b, out, grid=(LENGTH, LENGTH), threads=(8, 8))
    device.synchronize()
    table(a, b, out, grid=(LENGTH, LENGTH), threads=(8, 8))
    before = in_python.count
    table(b, b, out, grid=(LENGTH, LENGTH), threads=(8, 8))
    assert in_python.count == before
    np.testing.assert_array_equal(out.numpy(), np.full((LENGTH, LENGTH), 4))
    grids = [(LENGTH, LENGTH - 1), (LENGTH,), [LENGTH, LENGTH], (float(LENGTH), LENGTH)]
    for grid in grids:
        assert not table._launcher.again((a, b, out), grid, None, (8, 8), None, None)
    for threads in (None, 8, (8, 8, 1), (4, 8)):
        size = (LENGTH, LENGTH)
        assert not table._launcher.again((a, b, out), size, None, threads, None, None)


def test_a_global_name_that_has_another_value_is_seen(device, monkeypatch):
    @sm.kernel
    def shift(a, b):
        i = sm.thread_position_in_grid().x
        b[i] = a[i] + SHIFT

    a, b = full(device, 1), full(device, 0)
    for _ in range(5):
        shift(a, b, grid=LENGTH)
    assert shift._launcher.again is not None
    monkeypatch.setitem(globals(), "SHIFT", 10.0)
    shift(a, b, grid=LENGTH)
    assert b.numpy()[0] == 11


def test_a_name_of_a_closure_that_has_another_value_is_seen(device):
    size = 1.0

    @sm.kernel
    def shift(a, b):
        i = sm.thread_position_in_grid().x
        b[i] = a[i] + size

    a, b = full(device, 1), full(device, 0)
    for _ in range(5):
        shift(a, b, grid=LENGTH)
    assert shift._launcher.again is not None
    size = 10.0
    shift(a, b, grid=LENGTH)
    assert b.numpy()[0] == 11


def test_what_waits_to_read_memory_is_computed_before_it_is_written_to(add, device):
    a, b, c = known(add, device)
    waiting = c + 1
    add(a, a, c, grid=LENGTH)
    assert (waiting.numpy()[0], c.numpy()[0]) == (4, 2)
    assert b.numpy()[0] == 2


def test_lazy_arguments_are_computed(add, device):
    a, b, c = known(add, device)
    add(a + 1, b, c, grid=LENGTH)
    assert c.numpy()[0] == 4


def test_a_capture_takes_launches(add, device):
    a, b, c = known(add, device)
    device.synchronize()
    with sm.capture(device) as graph:
        for _ in range(3):
            add(a, c, c, grid=LENGTH)
    assert c.numpy()[0] == 3
    graph.replay()
    assert c.numpy()[0] == 6
    assert b.numpy()[0] == 2


def test_launches_are_timed(add, device, in_python):
    a, b, c = known(add, device)
    before = in_python.count
    with gpu_time(device) as measured:
        add(a, b, c, grid=LENGTH)
        add(a, b, c, grid=LENGTH)
    assert in_python.count == before + 2
    assert measured.seconds > 0


@pytest.mark.parametrize("code", [1, 201, 701])
def test_what_the_driver_refuses_is_asked_for_again_and_told(add, device, driver, code):
    a, b, c = known(add, device)
    device.synchronize()
    c[:] = 0.0
    device.synchronize()
    add(a, b, c, grid=LENGTH)
    labels = len(device.stream._batch.labels)
    driver.failures["cuLaunchKernelEx"] = [code]
    add(a, c, c, grid=LENGTH)  # once refused, then taken
    assert len(device.stream._batch.labels) == labels + 1
    assert c.numpy()[0] == 4
    add(a, b, c, grid=LENGTH)
    if code == 201:  # the context, which is made current
        return
    driver.failures["cuLaunchKernelEx"] = [code] * 3
    add(a, c, c, grid=LENGTH)
    with pytest.raises(sm.DeviceError, match="'add' was not done"):
        device.synchronize()


def test_arrays_that_overlap_run_the_kernel_for_such(device, in_python):
    @sm.kernel
    def running(x, y):
        for i in range(y.shape[0]):
            y[i] = x[i] + 1

    line = full(device, 0, 9)
    x, y = line[:8], full(device, 0, 8)
    for _ in range(5):
        running(x, y, grid=1)
    assert running._launcher.again is not None
    device.synchronize()
    running(x, y, grid=1)
    before = in_python.count
    running(x, y, grid=1)
    assert in_python.count == before
    running(x, line[1:], grid=1)
    assert in_python.count == before + 1
    np.testing.assert_array_equal(line.numpy(), np.arange(9))


def test_expressions_go_past_python_with_any_number(device, in_python):
    a, b = full(device, 2), full(device, 3)
    for number in range(6):
        sm.eval(a * b + number / 2)
    device.synchronize()
    sm.eval(a * b + 1.5)
    before = in_python.count
    large = float(np.finfo(np.float32).max)
    results = [a * b + 0.5, a * b + -large, a * b + 0.25]
    for result in results:
        sm.eval(result)
    infinite = a * b + 1e300
    sm.eval(infinite)
    assert in_python.count == before
    assert [result.numpy()[0] for result in results] == [6.5, -large, 6.25]
    assert np.isinf(infinite.numpy()).all()


def test_threads_launch_beside_each_other(add, device):
    a, b, _ = known(add, device)
    sums = [full(device, 0) for _ in range(3)]

    def work(own):
        for _ in range(100):
            add(a, own, own, grid=LENGTH)

    threads = [threading.Thread(target=work, args=(own,)) for own in sums]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [own.numpy()[0] for own in sums] == [100] * 3
    assert b.numpy()[0] == 2


def test_a_lock_that_another_thread_holds_is_waited_for(add, device, in_python):
    a, b, c = known(add, device)
    before = in_python.count
    with device.stream.turn:
        thread = threading.Thread(target=lambda: add(a, c, c, grid=LENGTH))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join()
    assert in_python.count == before + 1
    assert c.numpy()[0] == 4
    assert b.numpy()[0] == 2


def test_what_is_not_used_any_more_is_let_go(device, add):
    kernel = sm.kernel(add.function)
    arrays = known(kernel, device)
    layouts = weakref.ref(kernel._launcher.again)
    gone = weakref.ref(arrays[0])
    del kernel, arrays
    gc.collect()
    assert layouts() is None
    assert gone() is None


def test_machine_code_outlives_what_made_it(add, device):
    arrays = known(add, device)
    code = weakref.ref(direct._code())
    direct._code.cache_clear()
    gc.collect()
    assert code() is not None
    add(*arrays, grid=LENGTH)


def test_a_driver_without_addresses_is_asked_by_python(add, driver, monkeypatch):
    monkeypatch.setattr(direct, "LAUNCHES_BEFORE", 2)
    device = dry_device(driver)
    arrays = full(device, 1), full(device, 2), full(device, 0)
    for _ in range(5):
        add(*arrays, grid=LENGTH)
    assert add._launcher.again is None
    assert arrays[2].numpy()[0] == 3


def test_a_name_that_changes_while_machine_code_is_loaded_is_seen(device, monkeypatch):
    @sm.kernel
    def shift(a, b):
        i = sm.thread_position_in_grid().x
        b[i] = a[i] + SHIFT

    a, b = full(device, 1), full(device, 0)
    load = direct._direct

    def load_slowly(run):
        if SHIFT == 1.0:  # another thread comes in between
            monkeypatch.setitem(globals(), "SHIFT", 10.0)
            shift(a, b, grid=LENGTH)
        return load(run)

    monkeypatch.setattr(direct, "_direct", load_slowly)
    for _ in range(3):
        shift(a, b, grid=LENGTH)
    assert b.numpy()[0] == 11


def test_where_no_machine_code_can_be_had_python_launches(add, device, monkeypatch):
    def refuse():
        raise OSError("memory may not be executed")

    monkeypatch.setattr(direct, "machine_code", refuse)
    direct._code.cache_clear()
    try:
        arrays = full(device, 1), full(device, 2), full(device, 0)
        for _ in range(5):
            add(*arrays, grid=LENGTH)
        assert add._launcher.again is None
        assert arrays[2].numpy()[0] == 3
    finally:
        direct._code.cache_clear()


def test_another_interpreter_is_left_alone(add, device, monkeypatch):
    monkeypatch.setattr(direct, "_is_as_known", lambda: False)
    direct._code.cache_clear()
    try:
        arrays = full(device, 1), full(device, 2), full(device, 0)
        for _ in range(5):
            add(*arrays, grid=LENGTH)
        assert add._launcher.again is None
        assert arrays[2].numpy()[0] == 3
    finally:
        direct._code.cache_clear()


def test_objects_lie_as_the_machine_code_has_them():
    assert direct._is_as_known()


def test_the_tables_are_in_the_order_of_the_source():
    source = direct.SOURCE.read_text()
    (api,) = re.findall(r"struct api \{(.*?)\};", source, re.DOTALL)
    objects, *functions = [line for line in api.split(";") if line.strip()]
    assert len(objects.split(",")) == len(direct._OBJECTS)
    assert len(functions) == len(direct._FUNCTIONS)
    (kinds,) = re.findall(r"enum \{ (ADDRESS.*?) \}", source)
    assert len(kinds.split(",")) == len(direct._KINDS)


def test_what_is_loaded_was_made_of_the_source():
    hint = "run: python tools/build_direct.py"
    text = direct.TEXT.read_text()
    assert text.startswith(f"; {direct.digest_of(direct.SOURCE.read_bytes())}:"), hint
    made_of, _, image = direct.IMAGE.read_bytes().partition(b"\n")
    assert made_of.decode() == direct.digest_of(text.encode()), hint
    if CAN_MAP:
        assert direct.machine_code() == image


def test_the_text_is_compiled_where_no_machine_code_comes_along(monkeypatch, tmp_path):
    other = tmp_path / "direct.image"
    other.write_bytes(b"of something else\n")
    monkeypatch.setattr(direct, "IMAGE", other)
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))
    code = direct._Code()
    assert code._loaded.address("sm_run") != code._loaded.address("sm_launch")
