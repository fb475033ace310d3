"""A whole run, small and real: what it writes down, and what its options change."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from proving import settled
from small_run import Silent, case_of, last_records, measure

from speedmetal import __version__
from speedmetal.bench import compare, environment
from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Function, Settings, Tensor
from speedmetal.bench.frameworks.numpy.adapter import NumPyAdapter
from speedmetal.bench.record import CaseRecord, CaseSpec, Status
from speedmetal.bench.runner.data import make_dataset
from speedmetal.bench.runner.plan import expected_seconds
from speedmetal.bench.runner.protocol import Prepare, Sample
from speedmetal.bench.runner.rounds import Precision
from speedmetal.bench.runner.task import Task
from speedmetal.bench.store import Records, read_records
from speedmetal.bench.suites import cases_of, load_suite
from speedmetal.errors import UserInputError

HAS_MLX = importlib.util.find_spec("mlx") is not None
FRAMEWORKS = ["numpy", "mlx"] if HAS_MLX else ["numpy", "HONEST"]
SUITE = """
[[case]]
operation = "relu"
shape = [64, 96]

[[case]]
operation = "Softmax"
shape = [8, 16]
axis = -1
dtypes = ["float32", "float16", "float64"]

[[case]]
operation = "matmul"
a = [32, 48]
b = [48, 16]
"""
# Six samples in each of two sessions: enough for verdicts and controls.
PRECISION = Precision(least_rounds=12, most_rounds=12, half_width=0.5)
ROUNDS = 6
RELU = case_of("relu", shape=[64, 96])


@pytest.fixture(scope="module")
def suite_cases(tmp_path_factory: pytest.TempPathFactory) -> list[CaseSpec]:
    path = tmp_path_factory.mktemp("suite") / "small.toml"
    path.write_text(SUITE)
    return cases_of(load_suite(str(path)))


@pytest.fixture(scope="module")
def records(suite_cases: list[CaseSpec], tmp_path_factory: pytest.TempPathFactory) -> Records:
    """A run of a suite file on two frameworks, in two sessions."""
    out = tmp_path_factory.mktemp("run") / "folder" / "records.jsonl"
    return measure(out, suite_cases, FRAMEWORKS, precision=PRECISION, sessions=2)


def test_every_case_is_recorded_for_every_contender_in_every_session(
    records: Records, suite_cases: list[CaseSpec]
) -> None:
    """Proves that the file is whole and has each combination exactly once, numbered as the suite
    has them, whatever the order in which they ran."""
    assert not records.bad_lines
    assert read_records(records.source).records == records.records
    by_number = sorted(records.cases, key=lambda r: (r.session, r.number))
    found = [(r.session, r.case.label, r.contender.framework) for r in by_number]
    assert found == [
        (session, case.label, framework)
        for session in (1, 2)
        for case in suite_cases
        for framework in FRAMEWORKS
    ]
    assert len({record.run_id for record in records.cases}) == 1


def test_results_are_proved_and_timed(records: Records) -> None:
    """Proves that each case that a framework has is proved against the float64 reference in both
    seeds, and that its samples, rounds and positions belong together."""
    timed = [record for record in records.cases if record.status.has_time]
    refused = [record for record in records.cases if not record.status.has_time]
    # MLX takes float64 for its exponential and computes in float32 precision.
    assert {(r.contender.framework, r.case.dtype) for r in refused} <= {("mlx", "float64")}
    assert {r.status for r in refused} <= {Status.WRONG, Status.UNSUPPORTED}
    for record in timed:
        check, timing = record.check, record.timing
        assert check is not None
        assert timing is not None
        assert (check.passed, check.second_seed) == (True, "reference")
        assert check.rms_relative <= check.tolerance_rms
        assert timing.rounds == list(range(ROUNDS))
        assert len(timing.samples_nanoseconds) == len(timing.positions) == ROUNDS
        assert all(sample > 0 for sample in timing.samples_nanoseconds)
        assert timing.first_call_nanoseconds > 0
        assert len(timing.cpu_nanoseconds) == len(timing.page_faults) == ROUNDS
        assert timing.memory == "default"
        assert record.memory is not None
        assert record.memory.host_resident
        assert record.conditions is not None


def test_frameworks_take_turns(records: Records) -> None:
    """Proves that contenders of a case are sampled in the same rounds, in an order that varies."""
    groups = Counter(record.group for record in records.cases)
    assert set(groups.values()) == {2}
    positions = [
        position
        for record in records.cases
        if record.timing is not None and record.contender.framework == "numpy"
        for position in record.timing.positions
    ]
    assert {0, 1} <= set(positions)


def test_each_session_has_the_control_of_another_contender(records: Records) -> None:
    """Proves that one contender of a session has a second process in all of its cases, another one
    in the next session, and that the noise floor comes from them."""
    timed = [(r, r.timing) for r in records.cases if r.timing is not None]
    controls = [(r, timing) for r, timing in timed if timing.control_nanoseconds]
    chosen = [(1, FRAMEWORKS[0]), (2, FRAMEWORKS[1])]
    named = [(r.session, r.contender.framework.removeprefix("planted:")) for r, _ in controls]
    assert sorted(set(named)) == chosen
    of_chosen = [
        r for r, _ in timed if (r.session, r.contender.framework.removeprefix("planted:")) in chosen
    ]
    assert [r for r, _ in controls] == of_chosen
    assert all(timing.control_rounds == list(range(ROUNDS)) for _, timing in controls)
    floor = compare.noise_floor(records.cases)
    assert floor.pairs == len(controls)
    assert floor.is_known


def test_ratios_are_computed_over_common_rounds(records: Records) -> None:
    """Proves that the run's records give a paired ratio and a verdict wherever both have a time."""
    comparisons = compare.compare_with_baseline(records.cases, "numpy:cpu:eager")
    both = {
        key
        for key in {record.case.key for record in records.cases}
        if all(r.status.has_time for r in records.cases if r.case.key == key)
    }
    assert {c.case.case.key for c in comparisons} == both
    assert len(comparisons) == len(both) > 0
    for comparison in comparisons:
        assert (comparison.ratio.rounds, comparison.ratio.sessions) == (2 * ROUNDS, 2)
        assert 0 < comparison.ratio.low <= comparison.ratio.ratio <= comparison.ratio.high


def test_ceilings_and_environment_are_recorded(records: Records) -> None:
    """Proves that a run has its ceilings once, as they are the machine's, and that records name
    their environment."""
    assert [(c.session, c.device) for c in records.ceilings] == [(1, "cpu")]
    for ceiling in records.ceilings:
        assert [p.working_set_bytes for p in ceiling.copy] == [1 << 16, 1 << 20, 1 << 24]
        assert all(point.bytes_per_second > 0 for point in [*ceiling.copy, *ceiling.read])
        assert {key.split(":")[0] for key in ceiling.call_floor_seconds} <= {
            "numpy",
            "mlx",
            "planted",
        }
    (key,) = {record.environment for record in records.cases}
    found = records.environments[key]
    assert found.threads == 1
    assert found.packages["numpy"] == np.__version__
    assert found.variables is not None
    assert found.settings["OMP_NUM_THREADS"] == "1"


def test_the_run_itself_is_recorded(records: Records) -> None:
    """Proves that the settings of the run are on its first line."""
    (run,) = records.runs
    assert records.records[0] is run
    assert (run.suite, run.speedmetal_version, run.resumed) == ("planted", __version__, False)
    assert run.settings["sessions"] == 2
    assert run.settings["contenders"][0] == "numpy:cpu:eager"


BACKWARD = case_of("matmul", direction="backward", a=[8, 9], b=[9, 7])
BFLOAT16 = case_of("relu", dtype="bfloat16", shape=[8, 9])
UNDEFINED = case_of("argmax", direction="backward", shape=[8, 9], axis=0)


@pytest.fixture(scope="module")
def partly(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], CaseRecord]:
    """A run of cases that not everybody has."""
    out = tmp_path_factory.mktemp("partly") / "records.jsonl"
    names = ["numpy", "mlx"] if HAS_MLX else ["numpy"]
    return last_records(measure(out, [BACKWARD, BFLOAT16, UNDEFINED], names))


def test_a_backward_case_that_a_framework_cannot_do_says_so(
    partly: dict[tuple[str, str], CaseRecord],
) -> None:
    """Proves that NumPy's lack of gradients is stated as such and not as a crash."""
    told = {
        label: (record.status, record.reason)
        for (label, framework), record in partly.items()
        if framework == "numpy"
    }
    assert told == {
        BACKWARD.label: (Status.UNSUPPORTED, "no automatic differentiation"),
        BFLOAT16.label: (Status.UNSUPPORTED, "NumPy has no bfloat16 of its own"),
        UNDEFINED.label: (Status.UNSUPPORTED, "argmax has no (unique) gradient"),
    }


@pytest.mark.skipif(not HAS_MLX, reason="MLX is not installed")
def test_a_backward_case_is_proved_and_timed(
    partly: dict[tuple[str, str], CaseRecord],
) -> None:
    """Proves that gradients are checked, and that who has none does not stop who has."""
    assert partly[BACKWARD.label, "numpy"].status is Status.UNSUPPORTED
    record = partly[BACKWARD.label, "mlx"]
    assert record.status.has_time, record.reason
    assert record.check is not None
    assert (record.check.outputs, record.check.second_seed) == (2, "reference")


def test_workers_that_do_not_fit_together_stand_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that little memory makes groups, that their records say so, and that contenders of
    different groups are not compared."""
    monkeypatch.setattr(environment, "available_memory_bytes", lambda: 100_000)
    records = measure(tmp_path / "records.jsonl", [RELU], ["numpy", "HONEST"], precision=PRECISION)
    assert len({record.group for record in records.cases}) == 2
    for record in records.cases:
        assert record.status.has_time, record.reason
        assert record.notes[:1] == [
            (
                "memory: 0.0 GiB available did not hold all 2 workers (0.00 GiB of inputs each,"
                " 0.00 GiB of outputs); 2 groups stood in turn"
            )
        ]
    assert compare.compare_with_baseline(records.cases, "numpy:cpu:eager") == []


def test_throughput_with_a_cold_cache(tmp_path: Path) -> None:
    """Proves that the options reach the samples: calls in flight, and inputs that rotate."""
    records = measure(
        tmp_path / "records.jsonl",
        [case_of("relu", shape=[512, 512])],
        ["numpy"],
        timing_mode="throughput",
        cache="cold",
    )
    (record,) = records.cases
    assert record.status.has_time, record.reason
    assert record.timing is not None
    assert (record.timing.mode, record.timing.cache) == ("throughput", "cold")
    assert record.timing.input_sets > 1


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, Silent]:
    """A run of one case and one contender, and what its observer was told."""
    out, observer = tmp_path_factory.mktemp("observed") / "records.jsonl", Silent()
    return measure(out, [RELU], ["HONEST"], observer, unavailable={"torch": "absent"}), observer


def test_the_observer_hears_of_every_case(observed: tuple[Records, Silent]) -> None:
    """Proves that the display gets the number of cases and the records as they are made."""
    records, observer = observed
    assert observer.counts == [(1, 0)]
    assert observer.finished == records.cases
    # What is told of a busy machine depends on the machine.
    messages = [text for text in observer.messages if not text.startswith("machine: ")]
    assert messages == ["unavailable: torch: absent"]
    findings = [finding.message for finding in records.findings if finding.kind != "machine"]
    assert findings == ["torch: absent"]


def test_a_contender_cannot_join_a_run(observed: tuple[Records, Silent]) -> None:
    """Proves that a continued run takes no further contender, which would share no rounds with
    those that were measured, and that the file stays as it is."""
    out = Path(observed[0].source)
    before = out.read_bytes()
    with pytest.raises(UserInputError, match="planted:CONSTANT:cpu:eager did not take part"):
        measure(out, [RELU], ["HONEST", "CONSTANT"], resume=True)
    assert out.read_bytes() == before


def test_nothing_to_continue(tmp_path: Path) -> None:
    """Proves that a file without a run is not continued, with its full text."""
    path = tmp_path / "records.jsonl"
    path.write_text("")
    with pytest.raises(UserInputError) as caught:
        measure(path, [RELU], ["numpy"], resume=True)
    assert str(caught.value) == (
        f"{path} holds no record (the file is empty);"
        " expected a file that `speedmetal bench --out` wrote"
    )


# -- The rotation of cold inputs ---------------------------------------------------------------


class Recording(NumPyAdapter):
    """NumPy that notes which input each call gets."""

    def __init__(self) -> None:
        super().__init__("cpu", Settings(1))
        self.loaded: list[int] = []
        self.used: list[int] = []
        self.cells = {"relu": lambda _: self._relu}

    def to_device(self, array: np.ndarray, layout: Layout) -> Tensor:
        tensor = super().to_device(array, layout)
        self.loaded.append(id(tensor))
        return tensor

    @property
    def _relu(self) -> Function:
        def relu(x: Tensor) -> Tensor:
            self.used.append(id(x))
            return np.maximum(x, 0)

        return relu


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_cold_inputs_exceed_the_cache_and_are_all_used(dtype: str, tmp_path: Path) -> None:
    """Proves that the sets together hold more than three times the cache in every dtype, and that
    samples of one call each go on through all of them, one after the other: starting anew with
    each sample would keep the first ones in the cache."""
    case = case_of("relu", dtype=dtype, shape=[32, 32])
    first, second = (make_dataset(case, seed, tmp_path, reference=True) for seed in (1, 2))
    cache_bytes = 20_000
    adapter = Recording()
    request = Prepare(
        case=case,
        data=first,
        second=second,
        timing_mode="latency",
        cache="cold",
        cache_bytes=cache_bytes,
    )
    task = Task(adapter, "eager", request)
    prepared = settled(task)
    assert prepared.status == Status.OK
    size = 32 * 32 * np.dtype(dtype).itemsize
    assert prepared.input_sets * size >= 3 * cache_bytes
    assert (prepared.input_sets - 1) * size < 3 * cache_bytes
    adapter.used.clear()
    for _ in range(prepared.input_sets):
        assert task.sample(Sample(calls=1, wake=False, verify=True)).failure == ""
    assert len(set(adapter.used)) == prepared.input_sets


def test_cheap_cases_run_first(records: Records) -> None:
    """Proves that what is expected to take longest runs last, so that a budget's end cuts it and
    nothing else."""
    for session in (1, 2):
        labels = dict.fromkeys(r.case.key for r in records.cases if r.session == session)
        cases = {r.case.key: r.case for r in records.cases}
        expected = [expected_seconds(cases[key]) for key in labels]
        assert expected == sorted(expected)


def test_what_takes_long_takes_no_session_from_others(tmp_path: Path) -> None:
    """Proves that a session ends with its part of the budget: the dearest case comes after the
    later sessions of the cheap one, and no case of a session is lost."""
    cheap = case_of("relu", shape=[8, 8])
    # The first of them leaves some of the part; the second takes it.
    dear, dearer, dearest = (case_of("relu", shape=[256, n]) for n in (256, 384, 512))
    records = measure(
        tmp_path / "parts.jsonl",
        [cheap, dear, dearer, dearest],
        ["SLOW_ON_LARGE"],
        sessions=3,
        budget_seconds=20.0,
    )
    order = [(r.session, r.case.key) for r in records.cases]
    assert len(set(order)) == 12
    assert order.index((2, cheap.key)) < order.index((1, dearest.key))
