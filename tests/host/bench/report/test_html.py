"""The page in a real browser: charts, filters, sorting, samples; no request, no injected script."""

import html as html_module
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
from speedmetal.bench.report import FORMATS, Options, notation, summary
from speedmetal.bench.report.figures import figures_of
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
CHARTS = ("spread", "ratios", "rounds", "sizes", "roofline", "controls", "machine")

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


def copies() -> list[CaseRecord]:
    """Two sizes without floating-point work, in too few rounds for a verdict."""
    return [
        synthetic.case_record(
            msgspec.structs.replace(
                CASES[0],
                operation="copy",
                title="Copy",
                family="data movement",
                arguments=f"dim={size}",
                parameters={"shape": [size]},
                bytes_minimum=8 * size,
            ),
            contender,
            1e-9 * size * factor,
            rounds=3,
        )
        for size in (10_000, 1_000_000)
        for contender, factor in CONTENDERS[:2]
    ]


@pytest.fixture(scope="module")
def html() -> str:
    extra = (*copies(), synthetic.loaded(), attack_record(), attack_record(Status.UNFAIR))
    records = synthetic.records(extra=extra)
    return page(synthetic.with_machine(records), title=f"run {ATTACK}")


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


def marks(driver: Any, chart: str) -> int:
    """How many points a chart shows, once it has settled."""
    count: int = driver.execute_async_script(
        "const [chart, done] = arguments; setTimeout(() => done(document.querySelectorAll("
        "`#chart-${chart} .mark-symbol.role-mark path`).length), 400)",
        chart,
    )
    return count


def heat_cells(script: Callable[..., Any]) -> list[tuple[str, str]]:
    """Kind and text of the heat map's cells."""
    return [
        (kind, text)
        for kind, text in script(
            "return [...document.querySelectorAll('#heat td[data-case]')]"
            ".map((cell) => [cell.className.match(/cell-(\\w+)/)[1], cell.textContent])"
        )
    ]


def settle(driver: Any) -> None:
    """Waits until every chart is drawn again."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 60).until(
        lambda b: b.execute_script("return document.body.dataset.ready === 'true'")
    )


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
    assert size[1] > 100
    assert marks(driver, chart) >= len(CONTENDERS) - 2


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
    cells = len(heat_cells(script))
    choose(script, f"filter-{name}", value)
    left = column(script, number)
    assert set(left) == {value}
    assert 0 < len(left) < before
    assert len(heat_cells(script)) == len(left) < cells
    assert script("return document.getElementById('filter-count').textContent") == (
        f"{len(left)} of {before} results"
    )


@needs_browser
def test_filters_of_operation_and_family(driver: Any, script: Callable[..., Any]) -> None:
    """They act on the charts of time against size and the roofline too."""
    sizes, roofline = marks(driver, "sizes"), marks(driver, "roofline")
    choose(script, "filter-title", "MatMul")
    assert all(cell.startswith("MatMul ") for cell in column(script, 0))
    assert 0 < marks(driver, "sizes") < sizes
    assert 0 < marks(driver, "roofline") < roofline
    choose(script, "filter-title", "")
    choose(script, "filter-family", "reduction")
    assert all(cell.startswith("Argmax ") for cell in column(script, 0))
    assert marks(driver, "roofline") == 0


@needs_browser
def test_a_search_that_finds_nothing_is_no_error(driver: Any, script: Callable[..., Any]) -> None:
    """An empty table and empty charts, and a silent console."""
    choose(script, "filter-case", "no such case")
    assert column(script, 0) == []
    assert heat_cells(script) == []
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
    """Five contenders with times, two sessions, 24 rounds; and the machine's load and clock."""
    samples, states = 5 * 2 * 24, 2 * 2 * 24
    choose(script, "case", "3")
    assert marks(driver, "spread") == samples
    assert marks(driver, "rounds") == samples + states
    contenders = "return document.querySelectorAll('#case-table thead th').length"
    assert script(contenders) == 1 + len(CONTENDERS)
    script("document.querySelector('#results tbody tr').click()")
    assert script("return document.getElementById('case').value") == "0"
    assert marks(driver, "rounds") == samples + states
    choose(script, "case", "4")
    script("document.querySelector('#heat td[data-case]').click()")
    assert script("return document.getElementById('case').value") == "0"


@needs_browser
def test_the_choice_is_in_the_address(driver: Any, script: Callable[..., Any]) -> None:
    """Filters and case are again as they were when the page is opened at its address."""
    choose(script, "filter-title", "Softmax")
    choose(script, "filter-case", "16")
    choose(script, "case", "5")
    left = column(script, 0)
    driver.refresh()
    settle(driver)
    assert column(script, 0) == left
    assert script("return document.getElementById('case').value") == "5"
    script("location.hash = 'only-title=NoSuchOperation&case=NoSuchCase'")
    driver.refresh()
    settle(driver)
    assert len(column(script, 0)) > len(left)
    assert script("return document.getElementById('case').value") == "0"


@needs_browser
def test_the_spread_can_be_relative(driver: Any, script: Callable[..., Any]) -> None:
    """The same samples, over an axis of their contender's own median."""
    choose(script, "case", "3")
    titles = "return [...document.querySelectorAll('#chart-spread .role-axis-title text')]"
    choose(script, "spread-axis", "spreadRelative")
    assert marks(driver, "spread") == 5 * 2 * 24
    found = script(f"{titles}.map((text) => text.textContent)")
    assert found == ["time / median of the contender"]
    choose(script, "spread-axis", "spread")
    assert marks(driver, "spread") == 5 * 2 * 24
    assert script(f"{titles}.map((text) => text.textContent)") == ["time of a call"]


@needs_browser
def test_what_the_noise_forbids_is_grey(driver: Any, script: Callable[..., Any]) -> None:
    """In the heat map, the tables and the charts."""
    verdicts = column(script, 7)
    undecided = verdicts.count("undecided")
    assert undecided > 0
    assert [kind for kind, _ in heat_cells(script)].count("undecided") == undecided
    channels = script(
        "const colour = (at, name) => getComputedStyle(document.querySelector(at))[name];"
        "return [colour('#heat .cell-undecided', 'backgroundColor'),"
        "colour('.fill-undecided', 'backgroundColor'), colour('#results .tone-undecided', 'color')]"
    )
    for colour in channels:
        # Either rgb(r, g, b), or oklab(l a b), whose a and b are 0 for a grey.
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", colour.partition("(")[2])]
        grey = (
            max(numbers[:3]) - min(numbers[:3]) < 25
            if colour[0] == "r"
            else max(map(abs, numbers[1:3])) < 0.03
        )
        assert grey, colour
    choose(script, "filter-verdict", "undecided")
    marks(driver, "sizes")
    fills = script(
        "const points = document.querySelectorAll('#chart-sizes .mark-symbol.role-mark path');"
        "return [...new Set([...points].map((path) => path.getAttribute('fill')))]"
    )
    assert len(fills) == 1
    assert fills[0] == script(
        "const probe = document.createElement('i'); probe.style.color = 'var(--undecided)';"
        "document.body.append(probe); const colour = getComputedStyle(probe).color;"
        "probe.remove(); return colour"
    )


@needs_browser
def test_samples_round_as_all_other_figures_do(driver: Any, script: Callable[..., Any]) -> None:
    """The page's own times, in the tips of samples, are notation's."""
    told = set()
    for place in range(len(CASES)):
        choose(script, "case", str(place))
        marks(driver, "rounds")
        told |= {
            (seconds, text)
            for seconds, text in script(
                "return [...document.querySelectorAll('#chart-rounds .mark-symbol.role-mark path')]"
                ".map((path) => path.__data__.datum).filter((datum) => datum.seconds)"
                ".map((datum) => [datum.seconds, datum.timeText])"
            )
        }
    assert len(told) > 500
    assert {unit for _, text in told for unit in text.split()[1:]} >= {"µs", "ms"}
    for seconds, text in told:
        assert text == notation.seconds(seconds)


@needs_browser
def test_axes_have_units(script: Callable[..., Any]) -> None:
    """Bytes in binary units, times in theirs, rates with their prefix."""

    def labels(chart: str) -> set[str]:
        texts = script(
            "return [...document.querySelectorAll(`#chart-${arguments[0]} .role-axis-label text`)]"
            ".map((text) => text.textContent).filter(Boolean)",
            chart,
        )
        return {text.partition("\N{NO-BREAK SPACE}")[0].split()[-1] for text in texts}

    assert labels("spread") <= {"s", "ms", "µs", "ns"}
    assert {"KiB", "MiB"} <= labels("sizes") | {"KiB"}
    assert not labels("sizes") & {"B/s", "k", "M", "G"}
    assert any(unit.endswith("FLOP/s") for unit in labels("roofline"))


@needs_browser
def test_a_narrow_window_needs_no_sideways_scrolling(driver: Any) -> None:
    """At 420 pixels charts fit, tables are cards or scroll in their own box."""
    driver.execute_script("document.body.dataset.ready = 'false'")
    metrics = {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        settle(driver)
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= 420
        charts = driver.execute_script(
            "return [...document.querySelectorAll('.chart svg.marks')]"
            ".map((svg) => svg.getBoundingClientRect().right)"
        )
        assert len(charts) == len(CHARTS)
        assert max(charts) <= 420
        display, label = driver.execute_script(
            "const of = (at, part) => getComputedStyle(document.querySelector(at), part);"
            "return [of('#results tbody tr').display, of('#results td.number', '::before').content]"
        )
        assert display == "block"
        assert label == '"median"'
    finally:
        driver.execute_script("document.body.dataset.ready = 'false'")
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        settle(driver)


COLOURS_OF_THE_PAGE = """
const computed = (at, name) => getComputedStyle(document.querySelector(at))[name];
return {
  paper: computed('body', 'backgroundColor'),
  ink: computed('body', 'color'),
  table: computed('#results td', 'color'),
  axis: document.querySelector('#chart-rounds .role-axis-label text').getAttribute('fill'),
  title: document.querySelector('#chart-rounds .role-axis-title text').getAttribute('fill'),
  header: document.querySelector('#chart-spread .role-title-text text').getAttribute('fill'),
  point: document.querySelector('#chart-rounds .mark-symbol.role-mark path').getAttribute('fill'),
  legend: document.querySelector('#chart-rounds .role-legend-label text').getAttribute('fill'),
}
"""


@needs_browser
@pytest.mark.parametrize("way", ["system", "toggle"])
def test_dark_is_dark_everywhere(driver: Any, way: str) -> None:
    """By the system's preference and by the toggle: page, tables, axes, legends and points."""

    def prefer(scheme: str) -> None:
        driver.execute_script("document.body.dataset.ready = 'false'")
        if way == "toggle":
            driver.execute_script("document.getElementById('theme').click()")
        else:
            feature = {"name": "prefers-color-scheme", "value": scheme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        settle(driver)

    light = driver.execute_script(COLOURS_OF_THE_PAGE)
    prefer("dark")
    dark = driver.execute_script(COLOURS_OF_THE_PAGE)
    prefer("light")
    assert driver.execute_script(COLOURS_OF_THE_PAGE) == light
    assert {name for name in light if light[name] == dark[name]} == set()
    brightness = {name: _brightness(colour) for name, colour in dark.items()}
    assert brightness.pop("paper") < 60
    assert min(brightness.values()) > 110


def _brightness(colour: str) -> float:
    red, green, blue = (float(number) for number in re.findall(r"[\d.]+", colour)[:3])
    return 0.299 * red + 0.587 * green + 0.114 * blue


@needs_browser
def test_the_size_axis_can_be_work(driver: Any, script: Callable[..., Any]) -> None:
    """Operations without floating-point work leave the chart."""
    before = marks(driver, "sizes")
    choose(script, "size-axis", "flops")
    assert 0 < marks(driver, "sizes") < before
    choose(script, "size-axis", "bytes")


def test_time_against_size_needs_several_sizes() -> None:
    """Argmax's two cases have one size; MatMul's two have two."""

    def of(*places: int) -> str:
        made = [synthetic.case_record(CASES[i], CONTENDERS[0][0], 1e-3) for i in places]
        return page(Records(tuple(made)))

    assert 'id="chart-sizes"' not in of(0, 1)
    assert 'id="chart-sizes"' in of(2, 3)


def test_the_head_says_it_in_words(html: str) -> None:
    """Conclusions, the loaded machine, the memory and cache policy stand above the charts."""
    head = html_module.unescape(re.sub(r"<[^>]*>", " ", html.partition("</header>")[0]))
    extra = (*copies(), attack_record(Status.UNFAIR))
    (run,) = figures_of(synthetic.records(extra=extra), Options())
    for sentence in summary.sentences(run):
        assert sentence in head
    assert synthetic.loaded().message in head
    assert "memory: default" in head
    assert "cache: warm" in head
    assert "machine: Apple M9 Pro, 14 cores, 48.0 GiB" in head


def test_labels_are_words() -> None:
    """The published spelling is left to the tables that machines read."""
    text = page(Records((synthetic.in_words(),)))
    block = text.partition('id="data">')[2].partition("</script>")[0]
    case = json.loads(block)["cases"][0]
    assert case["name"] == "GroupNorm 8 x 32 x 64, groups 8"


def test_nothing_of_a_record_can_end_a_script(html: str) -> None:
    """Script elements are the page's own three, and the data block holds no angle bracket."""
    assert html.count("<script>window.attacked") == 0
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert block is not None
    assert not set("<>&") & set(block[1])
    data = json.loads(block[1])
    assert data["cases"][-1]["title"] == ATTACK
    assert ATTACK in data["rows"][-1][3]
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
