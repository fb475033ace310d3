// The page's own script. Text of records goes into text nodes and data values only.
(() => {
  "use strict";

  const data = JSON.parse(document.getElementById("data").textContent);
  const ERRORS_ONLY = 1; // Vega's level of messages
  const MISSING = "\u2013";
  const byId = (id) => document.getElementById(id);

  // ---- words for figures -------------------------------------------------------------------

  const digits = (x) => {
    if (x === 0) return "0";
    return x.toFixed(Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(x))))));
  };
  const scaled = (x, units) => {
    if (x === null || x === undefined) return MISSING;
    const [factor, unit] = units.find(([least]) => x >= least) ?? units[units.length - 1];
    return `${digits(x / factor)} ${unit}`;
  };
  const SECONDS = [[1, "s"], [1e-3, "ms"], [1e-6, "\u00b5s"], [1e-9, "ns"]];
  const SIZES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];
  const decimal = (unit) => [[1e12, `T${unit}`], [1e9, `G${unit}`], [1e6, `M${unit}`], [1e3, `k${unit}`], [1, unit]];
  const BYTE_RATE = decimal("B/s");
  const FLOP_RATE = decimal("FLOP/s");
  const seconds = (x) => scaled(x, SECONDS);
  const percent = (x) => (x === null ? MISSING : `${(100 * x).toFixed(x < 0.1 ? 1 : 0)}%`);
  const times = (x) => (x === null ? MISSING : `${digits(x)}\u00d7`);
  const edge = (x) => (x === null ? "?" : digits(x));
  const spread = (row) => {
    if (row.median === null) return "";
    if (row.low === null || row.high === null) return "\u00b1?";
    return `\u00b1${((100 * (row.high - row.low)) / (2 * row.median)).toFixed(1)}%`;
  };
  const interval = (row) => (row.ratio === null ? "" : `[${edge(row.ratioLow)}, ${edge(row.ratioHigh)}]`);
  const scientific = (x) => (x === null ? MISSING : x.toExponential(1));

  // ---- rows --------------------------------------------------------------------------------

  // What a cell of the heat map is; the names are those of the chart's scale.
  const kindOf = (row) => {
    if (row.median === null) return "no time";
    if (row.verdict === "baseline" || row.verdict === "equivalent" || row.verdict === "undecided") return row.verdict;
    return row.ratio === null ? "no common rounds" : "decided";
  };
  const cellText = (row) => {
    if (row.median === null) return row.status;
    if (row.verdict === "baseline") return seconds(row.median);
    return row.ratio === null ? seconds(row.median) : times(row.ratio);
  };

  const rows = data.rows.map((values, index) => {
    const row = Object.fromEntries(data.columns.map((name, i) => [name, values[i]]));
    row.index = index;
    row.kind = kindOf(row);
    row.cell = cellText(row);
    row.log2 = row.ratio === null ? null : Math.log2(row.ratio);
    row.intensity = row.flops && row.bytes ? row.flops / row.bytes : null;
    row.timeText = row.median === null ? MISSING : `${seconds(row.median)} ${spread(row)}`;
    row.ratioText = row.ratio === null ? MISSING : `${times(row.ratio)} ${interval(row)}`;
    row.shareText = row.share === null ? MISSING : `${percent(row.share)} of ${row.bound}`;
    row.rateText = scaled(row.flopRate, FLOP_RATE);
    row.reason = row.reason || MISSING;
    row.verdict = row.verdict || MISSING;
    return row;
  });
  const labels = [...new Set(rows.map((row) => row.label))];

  // ---- filters -----------------------------------------------------------------------------

  const FILTERS = ["family", "title", "contender", "status", "verdict"];

  const option = (value, text) => {
    const element = document.createElement("option");
    element.value = value;
    element.textContent = text;
    return element;
  };

  const chosen = () => {
    const part = byId("filter-label").value.trim().toLowerCase();
    const wanted = FILTERS.map((name) => [name, byId(`filter-${name}`).value]).filter(([, value]) => value !== "");
    return rows.filter(
      (row) => wanted.every(([name, value]) => row[name] === value) && row.label.toLowerCase().includes(part),
    );
  };

  const fillFilters = () => {
    for (const name of FILTERS) {
      const select = byId(`filter-${name}`);
      select.append(option("", "all"));
      for (const value of new Set(rows.map((row) => row[name]))) select.append(option(value, value));
      select.addEventListener("change", update);
    }
    byId("filter-label").addEventListener("input", update);
    byId("filter-reset").addEventListener("click", () => {
      for (const name of [...FILTERS, "label"]) byId(`filter-${name}`).value = "";
      update();
    });
    for (const label of labels) byId("case").append(option(label, label));
    byId("case").addEventListener("change", () => showCase(byId("case").value, false));
    byId("size-axis").addEventListener("change", update);
  };

  // ---- charts ------------------------------------------------------------------------------

  const roofs = data.roofs.flatMap(({ roof, device, corners }) => {
    return corners.map(([intensity, flopRate]) => ({ roof, device, intensity, flopRate }));
  });
  const roofNames = data.roofs.map(({ roof, corners }) => {
    const [intensity, flopRate] = corners[corners.length - 1];
    return { roof, intensity, flopRate };
  });
  const controls = data.controls.map((control, i) => {
    const ratioText = `${control.ratio.toFixed(4)} [${edge(control.low)}, ${edge(control.high)}]`;
    return { ...control, place: i + 1, ratioText };
  });

  // Per chart: its data sets for the rows that the filters leave, the first being the one without
  // which there is nothing to draw.
  const DATA = {
    heat: (left) => ({ rows: left }),
    sizes: (left) => {
      const size = byId("size-axis").value;
      const timed = left.filter((row) => row.median !== null && row[size] > 0);
      return { timed: timed.map((row) => ({ ...row, size: row[size] })) };
    },
    roofline: (left) => ({
      work: left.filter((row) => row.intensity !== null && row.flopRate !== null),
      roofs,
      roofNames,
    }),
    samples: () => samplesOf(byId("case").value),
    controls: () => ({ controls, floors: data.floors.map((value) => ({ edge: value })) }),
  };
  const views = {};

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const theme = () => {
    const text = { labelColor: colour("--soft"), titleColor: colour("--soft"), titleFontWeight: 500 };
    return {
      background: "transparent",
      font: "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif",
      axis: { ...text, gridColor: colour("--line"), gridOpacity: 0.7, domainColor: colour("--line"), tickColor: colour("--line"), labelFontSize: 11 },
      legend: { ...text, labelFontSize: 12, titleFontSize: 12 },
      header: { labelColor: colour("--ink") },
      view: { stroke: colour("--line") },
    };
  };

  const draw = async (name) => {
    const sets = DATA[name](chosen());
    const spec = { ...data.specs[name], datasets: sets };
    const place = byId(`chart-${name}`);
    const actions = { export: true, source: false, compiled: false, editor: false };
    // Expressions are interpreted, so that the page needs no right to evaluate text.
    // A filter that leaves nothing is no reason to warn of an empty axis.
    const logLevel = ERRORS_ONLY;
    const result = await vegaEmbed(place, spec, { mode: "vega-lite", renderer: "svg", ast: true, actions, logLevel, config: theme() });
    views[name]?.finalize();
    views[name] = result.view;
    place.classList.toggle("empty", Object.values(sets)[0].length === 0);
    if (name !== "samples" && name !== "controls") {
      result.view.addEventListener("click", (_event, item) => {
        if (item?.datum?.label) showCase(item.datum.label, true);
      });
    }
  };

  const refill = async (name) => {
    const view = views[name];
    if (!view) return;
    const sets = DATA[name](chosen());
    for (const [set, values] of Object.entries(sets)) {
      // Copies, because a view keeps its own marks on the objects that it is given.
      view.data(set, values.map((value) => ({ ...value })));
    }
    await view.runAsync();
    byId(`chart-${name}`).classList.toggle("empty", Object.values(sets)[0].length === 0);
  };

  // ---- one case closely --------------------------------------------------------------------

  const samplesOf = (label) => {
    const samples = [];
    const starts = new Map();
    const members = rows.filter((row) => row.label === label && row.median !== null);
    const numbers = members.flatMap((row) => data.samples[row.index].map((series) => series.session));
    let start = 0;
    // Sessions stand one after another.
    for (const session of [...new Set(numbers)].sort((a, b) => a - b)) {
      starts.set(session, start);
      const series = members.flatMap((row) => data.samples[row.index]).filter((s) => s.session === session);
      start += 2 + Math.max(...series.map((s) => (s.rounds ? Math.max(...s.rounds) : s.values.length * data.stride)));
    }
    for (const row of members) {
      for (const { session, values, rounds } of data.samples[row.index]) {
        values.forEach((value, i) => {
          const round = rounds ? rounds[i] : i * data.stride;
          const time = (value * row.median) / 1000;
          samples.push({
            contender: row.contender,
            series: `${row.contender} ${session}`,
            session,
            round,
            place: starts.get(session) + round,
            seconds: time,
            timeText: seconds(time),
            relative: `${(value / 10).toFixed(1)}%`,
          });
        });
      }
    }
    const sessions = [...starts].map(([session, first]) => ({ place: first - 1, name: `session ${session}` }));
    return { samples, sessions };
  };

  const showCase = (label, scroll) => {
    byId("case").value = label;
    refill("samples");
    const members = rows.filter((row) => row.label === label);
    const columns = CASE_COLUMNS.filter(([, , key]) => key === null || members.some((row) => key(row) !== null));
    fillHead(byId("case-table"), columns);
    fillTable(byId("case-table"), columns, members);
    if (scroll) byId("chart-samples").scrollIntoView({ behavior: "smooth", block: "center" });
  };

  // ---- tables ------------------------------------------------------------------------------

  // [heading, text of a row, sort key of a row, class of the cell]; numbers have a key.
  const tone = (name) => (row) => `tone-${row[name]}`;
  const CONTENDER = ["contender", (r) => r.contender, null];
  const STATUS = ["status", (r) => r.status, null, tone("status")];
  const MEDIAN = ["median", (r) => seconds(r.median), (r) => r.median];
  const SPREAD = ["\u00b1", spread, (r) => (r.high === null || r.low === null ? null : (r.high - r.low) / r.median)];
  const FIRST = ["first call", (r) => seconds(r.firstCall), (r) => r.firstCall];
  const ERROR = ["error", (r) => scientific(r.error), (r) => r.error];
  const COUNT = ["n", (r) => r.samples ?? MISSING, (r) => r.samples];
  const OUTLIERS = ["outliers", (r) => r.outliers ?? MISSING, (r) => r.outliers];
  const RESULT_COLUMNS = [
    ["case", (r) => r.label, null],
    CONTENDER,
    STATUS,
    MEDIAN,
    SPREAD,
    ["ratio", (r) => times(r.ratio), (r) => r.ratio],
    ["95 % interval", interval, (r) => r.ratioLow],
    ["verdict", (r) => r.verdict, null, tone("verdict")],
    ["share of ceiling", (r) => r.shareText, (r) => r.share],
    ["rate", (r) => scaled(r.byteRate, BYTE_RATE), (r) => r.byteRate],
    ["work", (r) => scaled(r.flopRate, FLOP_RATE), (r) => r.flopRate],
    FIRST,
    ERROR,
    COUNT,
  ];
  const CASE_COLUMNS = [
    CONTENDER,
    STATUS,
    MEDIAN,
    SPREAD,
    ["least", (r) => seconds(r.minimum), (r) => r.minimum],
    ["p10", (r) => seconds(r.p10), (r) => r.p10],
    ["p90", (r) => seconds(r.p90), (r) => r.p90],
    ["MAD", (r) => seconds(r.mad), (r) => r.mad],
    COUNT,
    OUTLIERS,
    ["lag-1 corr.", (r) => r.autocorrelation?.toFixed(2) ?? MISSING, (r) => r.autocorrelation],
    ["sessions", (r) => r.sessions, (r) => r.sessions],
    FIRST,
    ERROR,
    ["allowed", (r) => scientific(r.tolerance), (r) => r.tolerance],
    ["memory", (r) => scaled(r.memory, SIZES), (r) => r.memory],
    ["device mem.", (r) => scaled(r.deviceMemory, SIZES), (r) => r.deviceMemory],
    ["mode", (r) => [r.timingMode, r.cache].filter(Boolean).join(", "), null, () => "short"],
    ["reason, notes", (r) => [r.reason, r.notes].filter((text) => text && text !== MISSING).join("; "), null],
  ];

  const cellOf = (kind, text, numeric, extra) => {
    const element = document.createElement(kind);
    element.textContent = text;
    if (numeric) element.classList.add("number");
    if (extra) element.className += ` ${extra}`;
    return element;
  };

  const fillHead = (table, columns) => {
    const line = document.createElement("tr");
    for (const [heading, , key] of columns) line.append(cellOf("th", heading, key !== null));
    table.tHead.replaceChildren(line);
    return [...line.children];
  };

  const fillTable = (table, columns, members) => {
    const lines = members.map((row) => {
      const line = document.createElement("tr");
      for (const [, text, key, extra] of columns) line.append(cellOf("td", text(row), key !== null, extra?.(row)));
      if (row.reason !== MISSING) line.title = row.reason;
      if (table.id === "results") line.addEventListener("click", () => showCase(row.label, true));
      return line;
    });
    table.tBodies[0].replaceChildren(...lines);
  };

  const order = { column: null, sign: 1 };

  const sorted = (members) => {
    if (order.column === null) return members;
    const [, text, key] = RESULT_COLUMNS[order.column];
    return [...members].sort((a, b) => {
      if (key === null) return order.sign * String(text(a)).localeCompare(String(text(b)));
      const [x, y] = [key(a), key(b)];
      // What is not known stands last in both directions.
      if (x === null || y === null) return (x === null) - (y === null);
      return order.sign * (x - y);
    });
  };

  const prepareSorting = () => {
    const heads = fillHead(byId("results"), RESULT_COLUMNS);
    heads.forEach((head, column) => {
      head.tabIndex = 0;
      const sort = () => {
        order.sign = order.column === column ? -order.sign : 1;
        order.column = column;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order.sign > 0 ? "ascending" : "descending");
        fillTable(byId("results"), RESULT_COLUMNS, sorted(chosen()));
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => {
        if (event.key === "Enter") sort();
      });
    });
  };

  // ---- the page ----------------------------------------------------------------------------

  const update = () => {
    const left = chosen();
    byId("filter-count").textContent = `${left.length} of ${rows.length} results`;
    const without = new Set(left.filter((row) => !row.flops).map((row) => row.label)).size;
    byId("roofline-remark").textContent =
      "Work per second against work per byte, under the roofs measured on this machine: " +
      "bandwidth from main memory on the slope, matrix products on the flat. Work that stays in " +
      `a cache may lie above the slope. Cases without floating-point operations (${without}) are not shown.`;
    fillTable(byId("results"), RESULT_COLUMNS, sorted(left));
    for (const name of ["heat", "sizes", "roofline"]) refill(name);
  };

  const drawAll = async () => {
    for (const name of Object.keys(DATA)) await draw(name);
    // A filter may have been set while the charts were drawn.
    for (const name of Object.keys(DATA)) await refill(name);
    document.body.dataset.ready = "true";
  };

  fillFilters();
  prepareSorting();
  if (data.stride > 1) byId("samples-remark").textContent = `One sample in ${data.stride} is drawn.`;
  update();
  if (labels.length > 0) showCase(labels[0], false);
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
