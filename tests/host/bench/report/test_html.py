"""The page in a real browser: charts, filters, sorting, samples; no request, no injected script."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import synthetic
from synthetic import CASES, CONTENDERS

from speedmetal.bench.measure import statistics
from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.report import FORMATS, Options
from speedmetal.bench.report.html import script_json
from speedmetal.bench.store import Records

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
ATTACK = "<script>window.attacked = true</script><img src=x onerror='window.attacked = true'>"
CHARTS = ("heat", "sizes", "roofline", "samples", "controls")

needs_browser = pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()), reason="needs chromium and chromedriver"
)


def attack_record(status: Status = Status.CRASH) -> CaseRecord:
    """A record that tries to run a script from its title, device and reason."""
    return synthetic.case_record(
        msgspec.structs.replace(
            CASES[0], operation="attack", title=ATTACK, arguments="</script>", family=ATTACK
        ),
        msgspec.structs.replace(CONTENDERS[0][0], device_name=ATTACK),
        1e-3,
        status=status,
        reason=ATTACK,
    )


def page(records: Records, title: str = "speedmetal benchmark") -> str:
    rendered = FORMATS["html"].render(records, Options(title=title))
    assert isinstance(rendered, str)
    return rendered


@pytest.fixture(scope="module")
def html() -> str:
    records = synthetic.records(extra=(attack_record(), attack_record(Status.UNFAIR)))
    return page(records, title=f"run {ATTACK}")


@pytest.fixture(scope="module")
def driver(html: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that shows the page, drawn to its end."""
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    folder = tmp_path_factory.mktemp("browser")
    path = folder / "report.html"
    path.write_text(html, "utf-8")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        browser.get(path.as_uri())
        WebDriverWait(browser, 60).until(
            lambda b: b.execute_script("return document.body.dataset.ready === 'true'")
        )
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def script(driver: Any) -> Iterator[Callable[..., Any]]:
    """Runs JavaScript in the page, whose filters are cleared afterwards."""
    yield driver.execute_script
    driver.execute_script("document.getElementById('filter-reset').click()")


def choose(script: Callable[..., Any], name: str, value: str) -> None:
    script(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event(s.tagName === 'INPUT' ? 'input' : 'change'));",
        name,
        value,
    )


def column(script: Callable[..., Any], number: int) -> list[str]:
    found: list[str] = script(
        "return [...document.querySelectorAll('#results tbody tr')]"
        ".map((row) => row.children[arguments[0]].textContent)",
        number,
    )
    return found


def marks(driver: Any, chart: str, role: str) -> int:
    """How many marks a chart shows, once it has settled."""
    count: int = driver.execute_async_script(
        "const [chart, role, done] = arguments; setTimeout(() => done(document.querySelectorAll("
        "`#chart-${chart} .mark-${role}.role-mark path, #chart-${chart} .mark-${role}.role-mark"
        " text`).length), 400)",
        chart,
        role,
    )
    return count


@needs_browser
def test_the_console_is_empty(driver: Any) -> None:
    """Neither our script, nor the charts, nor the security policy complain."""
    assert driver.get_log("browser") == []


@needs_browser
@pytest.mark.parametrize("chart", CHARTS)
def test_charts_are_drawn(driver: Any, chart: str) -> None:
    """Every chart is a drawing of a size that can be read, with marks in it."""
    size = driver.execute_script(
        "const b = document.querySelector(`#chart-${arguments[0]} svg`).getBoundingClientRect();"
        "return [b.width, b.height]",
        chart,
    )
    assert size[0] > 400
    assert size[1] > 150
    assert marks(driver, chart, "symbol" if chart != "heat" else "rect") > 10


@needs_browser
def test_the_page_makes_no_request(driver: Any) -> None:
    """Nothing is loaded beside the file itself."""
    assert driver.execute_script("return performance.getEntriesByType('resource').length") == 0


@needs_browser
def test_the_page_fits_its_width(driver: Any) -> None:
    """At 1400 pixels nothing but inner boxes scrolls sideways."""
    wide, room = driver.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= room


@needs_browser
def test_text_of_records_is_text(driver: Any, script: Callable[..., Any]) -> None:
    """The injected script did not run, and is shown as it was written."""
    script("document.getElementById('filter-reset').click()")
    assert script("return window.attacked") is None
    assert any(ATTACK in cell for cell in column(script, 0))
    assert ATTACK in driver.find_element("tag name", "h1").text
    assert driver.execute_script("return document.querySelectorAll('img').length") == 0


@needs_browser
@pytest.mark.parametrize(
    ("name", "value", "number"),
    [("contender", "mlx:gpu:eager", 1), ("status", "timeout", 2), ("verdict", "faster", 7)],
)
def test_filters_leave_only_what_they_name(
    driver: Any, script: Callable[..., Any], name: str, value: str, number: int
) -> None:
    """Table and heat map shrink together."""
    before = len(column(script, 0))
    cells = marks(driver, "heat", "text")
    choose(script, f"filter-{name}", value)
    left = column(script, number)
    assert set(left) == {value}
    assert 0 < len(left) < before
    assert marks(driver, "heat", "text") == len(left) < cells
    assert script("return document.getElementById('filter-count').textContent") == (
        f"{len(left)} of {before} results"
    )


@needs_browser
def test_filters_of_operation_and_family(driver: Any, script: Callable[..., Any]) -> None:
    """They act on the charts of time against size and the roofline too."""
    sizes, roofline = marks(driver, "sizes", "symbol"), marks(driver, "roofline", "symbol")
    choose(script, "filter-title", "MatMul")
    assert all(cell.startswith("MatMul / ") for cell in column(script, 0))
    assert 0 < marks(driver, "sizes", "symbol") < sizes
    assert 0 < marks(driver, "roofline", "symbol") < roofline
    choose(script, "filter-title", "")
    choose(script, "filter-family", "reduction")
    assert all(cell.startswith("Argmax / ") for cell in column(script, 0))
    assert marks(driver, "roofline", "symbol") == 0


@needs_browser
def test_a_search_that_finds_nothing_is_no_error(driver: Any, script: Callable[..., Any]) -> None:
    """An empty table and empty charts, and a silent console."""
    choose(script, "filter-label", "no such case")
    assert column(script, 0) == []
    assert marks(driver, "heat", "text") == 0
    assert driver.get_log("browser") == []


@needs_browser
def test_headings_sort_both_ways(script: Callable[..., Any]) -> None:
    """By number where the column is one; what has no number stands last both times."""
    click = "document.querySelectorAll('#results th')[arguments[0]].click()"
    units = {"s": 1.0, "ms": 1e-3, "µs": 1e-6}

    def medians() -> list[float]:
        cells = (cell.split() for cell in column(script, 3))
        return [float(c[0]) * units[c[1]] if len(c) == 2 else float("nan") for c in cells]

    script(click, 3)
    up = [m for m in medians() if not math.isnan(m)]
    assert up == sorted(up)
    script(click, 3)
    down = medians()
    known = [m for m in down if not math.isnan(m)]
    assert known == sorted(known, reverse=True)
    assert all(math.isnan(m) for m in down[len(known) :])
    script(click, 1)
    names = column(script, 1)
    assert names == sorted(names)


@needs_browser
def test_choosing_a_case_draws_its_samples(driver: Any, script: Callable[..., Any]) -> None:
    """As many points as samples: five contenders with times, two sessions, 24 rounds."""
    choose(script, "case", CASES[3].label)
    assert marks(driver, "samples", "symbol") == 5 * 2 * 24
    assert script("return document.querySelectorAll('#case-table tbody tr').length") == 6
    script("document.querySelector('#results tbody tr').click()")
    assert marks(driver, "samples", "symbol") == 5 * 2 * 24
    assert script("return document.getElementById('case').value") == CASES[0].label


@needs_browser
def test_the_size_axis_can_be_work(driver: Any, script: Callable[..., Any]) -> None:
    """Operations without floating-point work leave the chart."""
    before = marks(driver, "sizes", "symbol")
    choose(script, "size-axis", "flops")
    assert 0 < marks(driver, "sizes", "symbol") < before
    choose(script, "size-axis", "bytes")


def test_nothing_of_a_record_can_end_a_script(html: str) -> None:
    """Script elements are the page's own three, and the data block holds no angle bracket."""
    assert html.count("<script>window.attacked") == 0
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert block is not None
    assert not set("<>&") & set(block[1])
    assert ATTACK in json.loads(block[1])["rows"][-1]
    assert len(re.findall(r"</script", html)) == 3


def test_script_json_is_the_value() -> None:
    """Escaping changes the text, not the value; what JSON cannot hold is refused."""
    value = {"text": "</script><!-- & \u2028", "number": 1.5}
    assert json.loads(str(script_json(value))) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(float("nan"))


def test_the_page_names_no_address(html: str) -> None:
    """No script, style, font, image or schema is loaded from anywhere."""
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=[\"']?(https?:)?//", html)
    assert "default-src 'none'" in html


def test_the_page_of_a_full_run_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """91 cases, 6 contenders and 200 samples each stay under 2.5 MB."""
    # The page's size does not depend on the resamples, which take most of the time.
    plain = statistics.bootstrap_medians
    monkeypatch.setattr(
        statistics, "bootstrap_medians", lambda values, seed=0: plain(values, seed, 20)
    )
    assert len(page(synthetic.large_records()).encode()) < 2_500_000


def test_figures_without_bounds_are_left_out() -> None:
    """One sample has an infinite interval; the page is still JSON and says it is not known."""
    records = [
        synthetic.case_record(CASES[0], contender, 1e-3, rounds=1)
        for contender, _ in CONTENDERS[:2]
    ]
    text = page(Records(tuple(records)))
    assert "Infinity" not in text.split('id="data">')[1].split("</script>")[0]
