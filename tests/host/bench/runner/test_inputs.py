"""The input sets of a worker: what they hold, and that nobody can foresee it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.frameworks.numpy.adapter import NumPyAdapter
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.record import CaseSpec, Status
from speedmetal.bench.runner import finished
from speedmetal.bench.runner import inputs as inputs_module
from speedmetal.bench.runner import task as task_module
from speedmetal.bench.runner.data import make_dataset
from speedmetal.bench.runner.inputs import ColdError, Inputs
from speedmetal.bench.runner.protocol import Dataset, Prepare, Prepared, Sample
from speedmetal.bench.runner.remembered import Recall
from speedmetal.bench.runner.task import Task
from speedmetal.bench.suites import SuiteEntry, make_case

RELU = make_case(SuiteEntry(OPERATIONS["relu"], {"shape": [8, 9]}), "float32", "forward", "ieee")
NUMPY = NumPyAdapter("cpu", Settings(threads=1))


def datasets_of(case: CaseSpec, folder: Path) -> list[Dataset]:
    return [make_dataset(case, seed, folder, reference=True) for seed in (1, 2)]


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Two sets of different values, as samples have them."""
    made = Inputs(NUMPY, OPERATIONS["relu"], datasets_of(RELU, tmp_path))
    made.sets = [made.load(0), made.load(1)]
    return made


def holds(made: Inputs, number: int, content: int) -> bool:
    return bool(np.array_equal(made.sets[number].tensors[0], made.arrays(content)[0]))


def take(made: Inputs) -> tuple[int, int]:
    """What a sample does with its inputs; returns the timed set's number and its content."""
    waking, timed = made.draw()
    content = made.plan(timed)
    made.write(waking, 1 - content)
    made.write(timed, content)
    return (0 if timed is made.sets[0] else 1), content


def test_the_untimed_call_has_other_values_at_all_times(inputs: Inputs) -> None:
    """Proves that both sets and both values come up in every combination, that the two sets never
    hold the same, and that they keep their memory."""
    memory = [one.tensors[0].ctypes.data for one in inputs.sets]
    seen = set()
    for _ in range(64):
        number, content = take(inputs)
        seen.add((number, content))
        assert holds(inputs, number, content)
        assert holds(inputs, 1 - number, 1 - content)
    assert seen == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert [one.tensors[0].ctypes.data for one in inputs.sets] == memory


def test_large_values_are_exchanged_now_and_then(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that where writing takes time most samples write nothing, and some exchange."""
    monkeypatch.setattr(inputs_module, "SMALL_BYTES", 0)
    written = []
    rewrite = inputs.rewrite
    monkeypatch.setattr(
        inputs, "rewrite", lambda one, content: (written.append(content), rewrite(one, content))
    )
    for _ in range(200):
        number, content = take(inputs)
        assert holds(inputs, number, content)
        assert holds(inputs, 1 - number, 1 - content)
    assert 0 < len(written) < 200


def test_changed_values_are_named(inputs: Inputs) -> None:
    """Proves that one changed element is found in a set, and the other set is untouched."""
    assert inputs.changed(inputs.sets[0]) == []
    inputs.sets[0].tensors[0][3, 4] += 1
    assert inputs.changed(inputs.sets[0]) == ["x"]
    assert inputs.changed(inputs.sets[1]) == []


def test_rolled_values_are_new_and_valid(tmp_path: Path) -> None:
    """Proves that values never seen are the dataset's own in another order, masks untouched."""
    operation = OPERATIONS["attention"]
    parameters = {"batch": 1, "heads": 1, "query_length": 4, "key_length": 4, "head_size": 8}
    case = make_case(SuiteEntry(operation, parameters), "float32", "forward", "ieee")
    made = Inputs(NUMPY, operation, datasets_of(case, tmp_path))
    *floats, mask = made.rolled()
    *originals, original_mask = made.arrays(1)
    for rolled, original in zip(floats, originals, strict=True):
        assert not np.array_equal(rolled, original)
        assert np.array_equal(np.sort(rolled, axis=None), np.sort(original, axis=None))
    assert np.array_equal(mask, original_mask)


def test_what_cannot_be_made_cold_says_so(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the full text where time, and where memory does not reach for a cold cache."""
    monkeypatch.setattr(inputs_module, "COLD_SECONDS", 0.0)
    cold = (
        "the case cannot be made cold: 10923 sets of inputs (288 bytes each) are needed to exceed"
        " the cache (1 MiB) 3 times;"
    )
    with pytest.raises(ColdError) as told:
        inputs.make_cold(1 << 20)
    assert str(told.value).startswith(f"{cold} to make them takes")
    assert str(told.value).endswith(" s, at most 0 s are spent on it")
    monkeypatch.setattr(inputs_module.environment, "available_memory_bytes", lambda: 4 << 20)
    with pytest.raises(ColdError) as told:
        inputs.make_cold(1 << 20)
    assert str(told.value) == f"{cold} there is memory for 1 MiB"


def settled(task: Task) -> Prepared:
    """The answer to the second half of the proof, where the first went well."""
    prepared = task.prepare()
    return task.settle() if prepared.status == Status.OK else prepared


def request_of(folder: Path, **settings: object) -> Prepare:
    first, second = datasets_of(RELU, folder)
    fields = {"timing_mode": "latency", "cache": "warm", "cache_bytes": 1 << 20, **settings}
    return Prepare(case=RELU, data=first, second=second, **fields)  # type: ignore[arg-type]


def test_no_warm_time_stands_under_a_cold_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a case that cannot be made cold is unsupported, proved though it is."""
    monkeypatch.setattr(inputs_module, "COLD_SECONDS", 0.0)
    prepared = settled(Task(NUMPY, "eager", request_of(tmp_path, cache="cold")))
    assert prepared.status == Status.UNSUPPORTED
    assert "cannot be made cold" in prepared.reason
    assert prepared.check is not None
    assert prepared.check.passed


def test_one_set_is_told_of_and_changes_its_values(tmp_path: Path) -> None:
    """Proves that without memory for two sets one is held, with a note, and samples are right."""
    task = Task(NUMPY, "eager", request_of(tmp_path, input_sets=1))
    prepared = settled(task)
    assert (prepared.status, prepared.input_sets) == ("ok", 1)
    assert prepared.notes == [
        "memory: one set of inputs is held, not two; its values are exchanged in place"
    ]
    for _ in range(8):
        assert task.sample(Sample(calls=2, wake=True, verify=True)).failure == ""
    assert task.verify() == ""


class Hoarder(NumPyAdapter):
    """Takes 64 MiB for each call."""

    cells = {**NumPyAdapter.cells, "relu": lambda _: Hoarder._relu}  # noqa: RUF012

    @staticmethod
    def _relu(x: np.ndarray) -> np.ndarray:
        np.ones(16 << 20, np.float32)
        return np.maximum(x, 0)


def test_memory_beyond_the_terms_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that what a call takes for a moment is seen, and that a plain one takes nothing."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a call's memory is told by Linux alone")
    monkeypatch.setattr(task_module, "MEMORY_BYTES", 16 << 20)
    (tmp_path / "plain").mkdir()
    assert Task(NUMPY, "eager", request_of(tmp_path / "plain")).prepare().notes == []
    hoarder = Hoarder("cpu", Settings(threads=1))
    (note,) = Task(hoarder, "eager", request_of(tmp_path)).prepare().notes
    assert note.startswith("memory: a call takes 0.06 GiB for a moment, ")


def test_a_first_call_that_others_slowed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a call on new values that took long while other cases were prepared is not taken
    for the sign of a memory: one alone is, and only then is it looked closer."""
    looked: list[object] = []

    def recall(*arguments: object) -> Recall:
        looked.append(arguments)
        return Recall([1.0], [1.0])

    monkeypatch.setattr(task_module.remembered, "is_suspicious", lambda new, known: new > slow[-1])
    monkeypatch.setattr(task_module.remembered, "recall", recall)
    slow: list[float] = []
    for seconds, expected in ((1e6, 0), (-1.0, 1)):
        slow.append(seconds)
        task = Task(NUMPY, "eager", request_of(tmp_path))
        assert task.prepare().status == Status.OK
        task._found.call_seconds = 1e9
        assert task.settle().status == Status.OK
        assert len(looked) == expected


def test_results_that_take_long_to_put_on_a_device_are_read_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proves that a large result is put there twice in an attempt, and once before, where that
    takes long, and as often as others are read where there is time for it."""

    class SlowCopies(NumPyAdapter):
        copies = 0

        def to_device(self, array: np.ndarray, layout: Layout) -> np.ndarray:
            self.copies += 1
            time.sleep(0.01)
            return super().to_device(array, layout)

    monkeypatch.setattr(finished, "ATTEMPTS", 1)
    large = np.zeros(finished.WHOLE_BYTES, np.float32)
    for attempt_seconds, reads in ((0.005, finished.LEAST_READS), (60.0, finished.READS)):
        monkeypatch.setattr(finished, "ATTEMPT_SECONDS", attempt_seconds)
        adapter = SlowCopies("cpu", Settings(threads=1))
        finished.Reader(adapter, lambda: [large], [(large, Layout.PLAIN)], 1e-6).read()
        assert adapter.copies == 1 + reads
