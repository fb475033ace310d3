"""Random programs do on a device what they do in plain Python."""

from __future__ import annotations

import os
from pathlib import Path

import fuzz_model
import pytest
from fuzz_programs import Program, programs
from hypothesis import HealthCheck, Phase, given, note, seed, settings

SEED = int(os.environ.get("SPEEDMETAL_FUZZ_SEED", "0"))
PROGRAMS = 2_000
PROGRAMS_AT_NIGHT = 20_000
SETTINGS = settings(
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def check(program: Program, folder: Path) -> None:
    """Run the program both ways; the text is in the folder while it runs, and in the failure."""
    wanted = fuzz_model.expected(program)
    names = fuzz_model.load([program], folder / f"{program.name}.py")
    note(
        f"SPEEDMETAL_FUZZ_SEED={SEED}, threads={program.threads}, debug={program.debug}\n"
        f"{program.source}"
    )
    found = fuzz_model.launched(names[program.name], program)
    wrong = fuzz_model.differences(found, wanted)
    assert not wrong, "\n".join(wrong[:10])


def test_random_programs_do_what_they_do_in_python(tmp_path):
    @seed(SEED)
    @settings(SETTINGS, max_examples=PROGRAMS)
    @given(programs())
    def each(program):
        check(program, tmp_path)

    each()


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(10))
def test_many_random_programs_do_what_they_do_in_python(part, tmp_path):
    @seed((SEED + 1) * 1000 + part)
    @settings(SETTINGS, max_examples=PROGRAMS_AT_NIGHT // 10)
    @given(programs())
    def each(program):
        check(program, tmp_path)

    each()
