"""Draw what ``cuda_arrays_speed.py sizes`` has written, and print its tables.

python tools/cuda_arrays_plot.py table TABLE.csv
python tools/cuda_arrays_plot.py sizes SIZES.csv docs/nvidia-sizes.svg
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

OPERATIONS = {
    "elementwise": "a * a + exp(sin(b))",
    "sum": "sum of all",
    "softmax": "softmax of rows of 1,024",
}
WHO = ("speedmetal", "torch", "torch.compile", "cupy", "jax")
COLOURS = ("#d62728", "#4c78a8", "#72b7b2", "#f58518", "#54a24b")
PEERS = {"torch": "PyTorch", "compile": "`torch.compile`", "triton": "Triton", "cupy": "CuPy"}


def rows_of(path: str) -> list[dict[str, str]]:
    """The lines of a file of comma-separated values."""
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def draw(rows: list[dict[str, str]], path: str) -> None:
    """Time of a call over the bytes of an array, both logarithmic, a figure for each operation."""
    import altair as alt

    values = [
        {
            "operation": OPERATIONS[row["operation"]],
            "bytes": int(row["bytes"]),
            "us": float(row["us"]),
            "who": row["who"],
            "is ours": row["who"] == "speedmetal",
        }
        for row in rows
    ]
    ticks = [1 << 10, 1 << 15, 1 << 20, 1 << 25, 1 << 30, 1 << 33]
    names = "{'1024': '1 KiB', '32768': '32 KiB', '1048576': '1 MiB', '33554432': '32 MiB', "
    names += "'1073741824': '1 GiB', '8589934592': '8 GiB'}[datum.value]"
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "bytes:Q",
            scale=alt.Scale(type="log", base=2, nice=False),
            axis=alt.Axis(title="size of an array", values=ticks, labelExpr=names, grid=False),
        ),
        y=alt.Y("us:Q", scale=alt.Scale(type="log"), axis=alt.Axis(title="time of a call, µs")),
        color=alt.Color(
            "who:N",
            scale=alt.Scale(domain=list(WHO), range=list(COLOURS)),
            sort=None,
            legend=alt.Legend(title=None),
        ),
        strokeWidth=alt.condition("datum['is ours']", alt.value(3), alt.value(1.5)),
    )
    chart = base.mark_line().properties(width=230, height=280)
    found = chart.facet(
        column=alt.Column("operation:N", title=None, sort=list(OPERATIONS.values()))
    )
    found.save(path)


def table(rows: list[dict[str, str]]) -> str:
    """Bytes a second, and shares of the copy and of the best peer, as Markdown."""
    lines = [
        f"| | speedmetal | of the copy | {' | '.join(PEERS.values())} | of the best |",
        f"| --- |{' --- |' * (3 + len(PEERS))}",
    ]
    for row in rows:
        peers = [f"{float(row[name]):,.0f}" if row[name] else "" for name in PEERS]
        best = max(float(row[name]) for name in PEERS if row[name])
        own = float(row["speedmetal"])
        shares = f"{own / float(row['copy']):.0%}".replace("%", " %"), f"{own / best:.2f}"
        cells = [f"{own:,.0f}", shares[0], *peers, shares[1]]
        lines.append(f"| {row['case']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Draw, or print."""
    what, source, *target = sys.argv[1:]
    if what == "table":
        print(table(rows_of(source)))
    else:
        draw(rows_of(source), target[0])


if __name__ == "__main__":
    main()
