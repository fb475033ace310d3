"""Parts cover all rows once, and what fails in one of them is told."""

import pytest

from speedmetal.arrays import spreading


@pytest.mark.parametrize("processors", [1, 2, 7])
@pytest.mark.parametrize("rows", [0, 1, 5, 1000])
def test_every_row_is_in_one_part(monkeypatch, processors, rows):
    monkeypatch.setattr(spreading, "_processors", lambda: processors)
    parts = spreading.parts_of(rows, rows * 10, 10)
    assert len(parts) == max(1, min(processors, rows))
    seen = []
    spreading.run_parts(lambda first, end: seen.extend(range(first, end)), parts)
    assert sorted(seen) == list(range(rows))


def test_what_a_part_raises_is_raised():
    def work(first, _end):
        if first:
            raise ValueError("of the second")

    with pytest.raises(ValueError, match="of the second"):
        spreading.run_parts(work, [(0, 1), (1, 2)])
