// The page's own script. Text of records goes into text nodes and data values only.
(() => {
  "use strict";

  const data = JSON.parse(document.getElementById("data").textContent);
  const ERRORS_ONLY = 1; // Vega's level of messages
  const MISSING = "\u2013";
  const byId = (id) => document.getElementById(id);

  // ---- words for samples; all other figures come with the data -----------------------------

  const digits = (x) => {
    if (x === 0) return "0";
    return x.toFixed(Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(x))))));
  };
  const seconds = (x) => {
    const [scale, unit] = data.seconds.find(([least]) => x >= least) ?? data.seconds.at(-1);
    return `${digits(x / scale)} ${unit}`;
  };
  const plural = (count, noun) => (count === 1 ? `1 ${noun}` : `${count} ${noun}s`);

  // ---- rows --------------------------------------------------------------------------------

  const rows = data.rows.map(([place, numbers, written, texts], index) => {
    const names = [...data.figures, ...data.edges];
    const row = { ...data.cases[place], place, index };
    names.forEach((name, i) => (row[name] = numbers[i]));
    data.texts.forEach((name, i) => (row[name] = texts[i]));
    row.text = Object.fromEntries(data.figures.map((name, i) => [name, written[i]]));
    row.verdict ||= MISSING;
    row.intensity = row.flops && row.bytes ? row.flops / row.bytes : null;
    row.timeText = row.median === null ? MISSING : `${row.text.median} ${row.text.spread}`;
    row.ratioText = row.ratio === null ? MISSING : `${row.text.ratio} ${row.text.interval}`;
    row.shareText = row.text.share;
    row.rateText = row.text.flopRate;
    return row;
  });

  // ---- filters -----------------------------------------------------------------------------

  const FILTERS = ["family", "title", "contender", "status", "verdict"];

  const option = (value, text) => {
    const element = document.createElement("option");
    element.value = value;
    element.textContent = text;
    return element;
  };

  // "64x1024" finds "64 x 1024" too, and either a case's name or its label in the records.
  const squeeze = (text) => text.toLowerCase().replace(/\s+/g, "");
  const searched = data.cases.map(({ name, label }) => squeeze(`${name}\n${label}`));

  const chosen = () => {
    const part = squeeze(byId("filter-case").value);
    const wanted = FILTERS.map((name) => [name, byId(`filter-${name}`).value]).filter(([, value]) => value !== "");
    return rows.filter(
      (row) => wanted.every(([name, value]) => row[name] === value) && searched[row.place].includes(part),
    );
  };

  const fillFilters = () => {
    for (const name of FILTERS) {
      const select = byId(`filter-${name}`);
      select.append(option("", "all"));
      for (const value of new Set(rows.map((row) => row[name]))) select.append(option(value, value));
      select.addEventListener("change", update);
    }
    byId("filter-case").addEventListener("input", update);
    byId("filter-reset").addEventListener("click", () => {
      for (const name of [...FILTERS, "case"]) byId(`filter-${name}`).value = "";
      update();
    });
  };

  // ---- charts ------------------------------------------------------------------------------

  const roofs = data.roofs.flatMap(({ roof, device, corners }) => {
    return corners.map(([intensity, flopRate]) => ({ roof, device, intensity, flopRate }));
  });
  const roofNames = data.roofs.map(({ roof, corners }) => {
    const [intensity, flopRate] = corners.at(-1);
    return { roof, intensity, flopRate };
  });
  const mean = (pairs) => pairs.reduce((sum, [, value]) => sum + value, 0) / pairs.length;
  const STATES = {
    load: (value) => ({ value, text: `load ${digits(value)}` }),
    clock: (megahertz) => ({ value: megahertz / 1000, text: `${digits(megahertz / 1000)} GHz` }),
  };
  const visits = (kind) =>
    data.machine
      .filter((visit) => visit[kind].length > 0)
      .map((visit) => {
        const { minute, session } = visit;
        return { minute, session, name: data.cases[visit.case].name, ...STATES[kind](mean(visit[kind])) };
      });
  const recorded = Object.keys(STATES).filter((kind) => visits(kind).length > 0);

  // Per chart: its data sets for the rows that the filters leave, the first being the one without
  // which there is nothing to draw.
  const DATA = {
    spread: () => ({ spread: spreadOf(byId("case").value) }),
    ratios: () => ratiosOf(byId("case").value),
    rounds: () => roundsOf(byId("case").value),
    sizes: (left) => {
      const size = byId("size-axis").value;
      const sized = new Set(data.sized[size]);
      const timed = left.filter((row) => row.median !== null && row[size] > 0 && sized.has(row.series));
      return { timed: timed.map((row) => ({ ...row, size: row[size] })) };
    },
    roofline: (left) => ({
      work: left.filter((row) => row.intensity !== null && row.flopRate !== null),
      roofs,
      roofNames,
    }),
    controls: () => ({
      controls: data.controls.map((control, i) => ({ ...control, place: i + 1 })),
      floors: data.floors.map((value) => ({ edge: value })),
    }),
    machine: () => Object.fromEntries(recorded.map((kind) => [kind, visits(kind)])),
  };
  const CHARTS = Object.keys(DATA).filter((name) => byId(`chart-${name}`));
  const SPECIFICATIONS = {
    spread: () => byId("spread-axis").value,
    sizes: () => (byId("size-axis").value === "bytes" ? "sizesBytes" : "sizesFlops"),
  };
  const views = {};

  // Colours are resolved by an element that has them, since a property's own text is not a colour.
  const colours = () => {
    const probe = document.createElement("span");
    document.body.append(probe);
    const known = new Map();
    const resolve = (name) => {
      if (!known.has(name)) {
        probe.style.color = name;
        known.set(name, getComputedStyle(probe).color);
      }
      return known.get(name);
    };
    return { resolve, end: () => probe.remove() };
  };

  const AXIS_ROOM = 66; // of a vertical axis with its title
  const NAME_ROOM = 138;
  const FACET_WIDTH = 330;

  // A specification with the theme's colours, and as wide as the page has room.
  const dressed = (name, room, resolve) => {
    const text = JSON.stringify(data.specs[SPECIFICATIONS[name]?.() ?? name]);
    const spec = JSON.parse(text.replace(/var\(--[a-z0-9-]+\)/g, resolve));
    let width = room - AXIS_ROOM - 14;
    if (name === "spread") width = room - 30;
    if (name === "ratios") width = Math.min(900, room - NAME_ROOM - 30);
    if (name === "sizes") {
      const several = new Set(DATA.sizes(chosen()).timed.map((row) => row.series)).size;
      spec.columns = Math.max(1, Math.min(Math.floor(room / FACET_WIDTH), several));
      width = Math.min(560, (room - spec.columns * AXIS_ROOM - 14) / spec.columns);
    }
    if (spec.vconcat) {
      spec.vconcat = spec.vconcat.filter((part) => !(part.name in STATES) || recorded.includes(part.name));
    }
    const fit = (part) => {
      if (part?.width === "container") part.width = Math.max(120, Math.floor(width));
      for (const inner of [...(part.vconcat ?? []), ...(part.spec ? [part.spec] : [])]) fit(inner);
    };
    fit(spec);
    return spec;
  };

  const theme = (room, resolve) => {
    const [soft, ink, line] = ["soft", "ink", "line"].map((name) => resolve(`var(--${name})`));
    const text = { labelColor: soft, titleColor: soft, titleFontWeight: 500 };
    return {
      background: "transparent",
      font: "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif",
      axis: { ...text, gridColor: line, gridOpacity: 0.7, domainColor: line, tickColor: line, labelFontSize: 11 },
      legend: { ...text, labelFontSize: 12, titleFontSize: 12, columns: Math.max(1, Math.floor(room / 190)) },
      header: { labelColor: ink, labelFontSize: 12 },
      text: { color: ink },
      view: { stroke: line },
    };
  };

  const draw = async (name) => {
    const sets = DATA[name](chosen());
    const place = byId(`chart-${name}`);
    const { resolve, end } = colours();
    const spec = { ...dressed(name, place.clientWidth, resolve), datasets: sets };
    const config = theme(place.clientWidth, resolve);
    end();
    const actions = { export: true, source: false, compiled: false, editor: false };
    // Expressions are interpreted, so that the page needs no right to evaluate text.
    // A filter that leaves nothing is no reason to warn of an empty axis.
    const options = { mode: "vega-lite", renderer: "svg", ast: true, actions, logLevel: ERRORS_ONLY, config };
    const result = await vegaEmbed(place, spec, options);
    views[name]?.finalize();
    views[name] = result.view;
    place.classList.toggle("empty", Object.values(sets).every((set) => set.length === 0));
    if (name === "sizes" || name === "roofline") {
      result.view.addEventListener("click", (_event, item) => {
        if (item?.datum?.place !== undefined) showCase(item.datum.place, true);
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
    byId(`chart-${name}`).classList.toggle("empty", Object.values(sets).every((set) => set.length === 0));
  };

  // ---- one case closely --------------------------------------------------------------------

  const membersOf = (place) => rows.filter((row) => row.place === Number(place));

  const samplesOf = (row) =>
    data.samples[row.index].flatMap(({ session, distances, rounds }) =>
      distances.map((distance, i) => {
        const relative = 1 + distance / data.sampleScale;
        return {
          contender: row.contender,
          series: `${row.contender} ${session}`,
          session,
          round: rounds ? rounds[i] : i * data.stride,
          relative,
          seconds: relative * row.median,
          timeText: seconds(relative * row.median),
          relativeText: `${(100 * relative).toFixed(1)}%`,
        };
      }),
    );

  const spreadOf = (place) => {
    const isRelative = byId("spread-axis").value === "spreadRelative";
    const timed = membersOf(place).filter((row) => row.median !== null);
    return timed.flatMap((row) => {
      const samples = samplesOf(row);
      const lanes = [...new Set(samples.map((sample) => sample.session))].sort((a, b) => a - b);
      const unit = isRelative ? row.median : 1;
      const points = samples.map((sample, i) => {
        const x = isRelative ? sample.relative : sample.seconds;
        // The golden ratio spreads neighbours evenly over their lane.
        const within = 0.15 + 0.7 * ((i * 0.618034) % 1);
        const y = -0.04 - (0.92 * (lanes.indexOf(sample.session) + within)) / lanes.length;
        return { ...sample, kind: "sample", x, y, place: isRelative ? x : Math.log(x) };
      });
      const { contender, timeText, ratioText } = row;
      const middle = { kind: "median", contender, timeText, ratioText, x: row.median / unit };
      const [low, high] = [row.low ?? row.median, row.high ?? row.median];
      return [...points, { ...middle, low: low / unit, high: high / unit }];
    });
  };

  const ratiosOf = (place) => {
    const compared = membersOf(place).filter((row) => row.ratio !== null);
    const { floors } = data;
    return {
      ratios: compared.map(({ contender, ratio, ratioLow, ratioHigh, ratioText, verdict }) => {
        return { contender, ratio, ratioText, verdict, low: ratioLow ?? ratio, high: ratioHigh ?? ratio };
      }),
      noise: compared.length && floors.length ? [{ low: Math.min(...floors), high: Math.max(...floors) }] : [],
      even: compared.length ? [{ ratio: 1 }] : [],
    };
  };

  const roundsOf = (place) => {
    const samples = membersOf(place).flatMap((row) => samplesOf(row));
    const states = data.machine.filter((visit) => visit.case === Number(place));
    const lasts = new Map();
    const note = (session, round) => lasts.set(session, Math.max(round, lasts.get(session) ?? 0));
    for (const { session, round } of samples) note(session, round);
    for (const state of states) {
      for (const kind of recorded) for (const [round] of state[kind]) note(state.session, round);
    }
    // Sessions stand one after another.
    const starts = new Map();
    let start = 0;
    for (const session of [...lasts.keys()].sort((a, b) => a - b)) {
      starts.set(session, start);
      start += 2 + lasts.get(session);
    }
    const during = (kind) =>
      states.flatMap(({ session, ...state }) =>
        state[kind].map(([round, value]) => ({
          session,
          round,
          name: data.cases[place].name,
          place: starts.get(session) + round,
          ...STATES[kind](value),
        })),
      );
    return {
      samples: samples.map((sample) => ({ ...sample, place: starts.get(sample.session) + sample.round })),
      sessions: [...starts].map(([session, first]) => ({ place: first - 1, name: `session ${session}` })),
      ...Object.fromEntries(recorded.map((kind) => [kind, during(kind)])),
    };
  };

  const fillCases = () => {
    const groups = new Map();
    data.cases.forEach(({ title, name }, place) => {
      if (!groups.has(title)) {
        const group = document.createElement("optgroup");
        group.label = title;
        groups.set(title, group);
      }
      groups.get(title).append(option(place, name));
    });
    const select = byId("case");
    select.append(...groups.values());
    select.addEventListener("change", () => showCase(select.value, false));
    const step = (by) => {
      const places = [...select.options].map((one) => one.value);
      const next = (places.indexOf(select.value) + by + places.length) % places.length;
      showCase(places[next], false);
    };
    byId("case-before").addEventListener("click", () => step(-1));
    byId("case-after").addEventListener("click", () => step(1));
    byId("spread-axis").addEventListener("change", () => draw("spread"));
    byId("size-axis")?.addEventListener("change", () => draw("sizes"));
  };

  const markChosen = () => {
    for (const cell of document.querySelectorAll("#heat td[data-case]")) {
      cell.classList.toggle("chosen", cell.dataset.case === byId("case").value);
    }
  };

  const showCase = (place, scroll) => {
    byId("case").value = String(place);
    for (const name of ["spread", "ratios", "rounds"]) refill(name);
    remember();
    const members = membersOf(place);
    fillCase(members);
    markChosen();
    if (scroll) byId("one-case").scrollIntoView({ behavior: "smooth", block: "start" });
  };

  // ---- tables ------------------------------------------------------------------------------

  // [heading, text of a row, sort key of a row, class of the cell]; numbers have a key.
  const figure = (heading, name, extra) => [heading, (row) => row.text[name], (row) => row[name], extra];
  const tone = (name) => (row) => `tone-${row[name]}`;
  // What the noise forbids to judge is grey, the figure and the verdict.
  const doubt = (row) => (row.verdict === "undecided" ? "tone-undecided" : "");
  const CONTENDER = ["contender", (r) => r.contender, null];
  const STATUS = ["status", (r) => r.status, null, tone("status")];
  const VERDICT = ["verdict", (r) => r.verdict, null, tone("verdict")];
  const TIME = [figure("median", "median"), figure("\u00b1", "spread")];
  const RATIO = [figure("ratio", "ratio", doubt), figure("95 % interval", "interval", () => "tone-muted"), VERDICT];
  // Of cards alone: a column that no row has anything in is left out.
  const CARD_FIGURES = [
    figure("in flight", "throughput"),
    figure("on the device", "deviceTime"),
  ].filter(([, , key]) => rows.some((row) => key(row) !== null));
  const THROTTLED = ["throttled", (r) => r.throttled, null, () => "tone-undecided"];
  const RESULT_COLUMNS = [
    ["case", (r) => r.name, null, () => "name"],
    CONTENDER,
    STATUS,
    ...TIME,
    ...CARD_FIGURES,
    ...RATIO,
    figure("share of ceiling", "share"),
    figure("bandwidth", "byteRate"),
    figure("work", "flopRate"),
    figure("first call", "firstCall"),
    figure("samples", "samples"),
    ...(rows.some((row) => row.throttled) ? [THROTTLED] : []),
  ];
  const CASE_FIGURES = [
    STATUS,
    ...TIME,
    ...CARD_FIGURES,
    ...RATIO,
    figure("share of ceiling", "share"),
    figure("least", "minimum"),
    figure("p10", "p10"),
    figure("p90", "p90"),
    figure("MAD", "mad"),
    figure("samples", "samples"),
    figure("outliers", "outliers"),
    figure("lag-1 correlation", "autocorrelation"),
    figure("processors busy", "processors"),
    figure("page faults a call", "pageFaults"),
    figure("interruptions a sample", "interruptions"),
    figure("first call", "firstCall"),
    figure("error", "error"),
    figure("allowed", "tolerance"),
    figure("memory", "memory"),
    figure("device memory", "deviceMemory"),
    figure("energy of a call", "joules"),
    THROTTLED,
    ["timed", (r) => [r.timingMode, r.cache, r.l2 && `L2 ${r.l2}`].filter(Boolean).join(", "), null],
    ["remarks", (r) => [r.reason, r.note, r.notes].filter(Boolean).join("; "), null],
  ];

  const heading = (text, extra) => {
    const element = document.createElement("th");
    // A contender's key may break where its parts end.
    text.split(/(?<=:)/).forEach((part, i) => element.append(...(i ? [document.createElement("wbr")] : []), part));
    if (extra) element.className = extra;
    return element;
  };

  const cellOf = (kind, heading, text, numeric, extra) => {
    const element = document.createElement(kind);
    element.textContent = text;
    if (numeric) element.classList.add("number");
    if (extra) element.className += ` ${extra}`;
    if (kind === "td") {
      element.dataset.label = heading;
      if (text === "" || text === MISSING) element.classList.add("missing");
    }
    return element;
  };

  const fillHead = (table, columns) => {
    const line = document.createElement("tr");
    for (const [heading, , key] of columns) line.append(cellOf("th", heading, heading, key !== null));
    table.tHead.replaceChildren(line);
    return [...line.children];
  };

  const fillTable = (table, columns, members) => {
    const lines = members.map((row) => {
      const line = document.createElement("tr");
      for (const [heading, text, key, extra] of columns) {
        line.append(cellOf("td", heading, text(row), key !== null, extra?.(row)));
      }
      if (row.reason) line.title = row.reason;
      if (table.id === "results") line.addEventListener("click", () => showCase(row.place, true));
      return line;
    });
    table.tBodies[0].replaceChildren(...lines);
  };

  // A column a contender, a line a figure; figures that none of them has are left out.
  const fillCase = (members) => {
    const head = document.createElement("tr");
    head.append(heading(""), ...members.map((row) => heading(row.contender, "number")));
    const known = CASE_FIGURES.filter(
      ([, text, key]) => members.some((row) => (key ? key(row) !== null : text(row) !== "")),
    );
    const lines = known.map(([name, text, key, extra]) => {
      const line = document.createElement("tr");
      const cells = members.map((row) => cellOf("td", name, text(row), key !== null, extra?.(row)));
      line.append(heading(name), ...cells);
      return line;
    });
    const table = byId("case-table");
    table.tHead.replaceChildren(head);
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

  // ---- the heat map ------------------------------------------------------------------------

  const FULL_COLOUR = 3; // log2: at a factor of 8 a cell has its full colour
  const LEAST_COLOUR = 14; // percent, so that a decided cell is never taken for an even one
  const MOST_COLOUR = 78;

  const kindOf = (row) => {
    if (row.median === null) return "none";
    if (["baseline", "equivalent", "undecided", "faster", "slower"].includes(row.verdict)) return row.verdict;
    return "undecided";
  };

  const heatText = (row) => {
    if (row.median === null) return row.status;
    return row.ratio === null ? row.text.median : row.text.ratio;
  };

  const explain = (row) => {
    const facts = [
      `${row.contender}: ${row.median === null ? row.status : row.timeText}`,
      row.ratio === null ? "" : `${row.ratioText}, ${row.verdict}`,
      row.share === null ? "" : row.shareText,
      row.reason,
      row.note,
    ];
    return [row.name, ...facts.filter(Boolean)].join("\n");
  };

  const heatCell = (row) => {
    const cell = document.createElement("td");
    if (!row) return cell;
    const kind = kindOf(row);
    cell.textContent = heatText(row);
    cell.className = `cell-${kind}`;
    cell.title = explain(row);
    cell.dataset.case = row.place;
    if (kind === "faster" || kind === "slower") {
      const share = Math.min(1, Math.abs(Math.log2(row.ratio)) / FULL_COLOUR);
      cell.style.setProperty("--strength", `${LEAST_COLOUR + (MOST_COLOUR - LEAST_COLOUR) * share}%`);
    }
    cell.addEventListener("click", () => showCase(row.place, true));
    return cell;
  };

  const caseName = (place, alone) => {
    const { title, variant } = data.cases[place];
    const name = heading("", alone ? "alone" : "");
    const button = document.createElement("button");
    button.type = "button";
    if (alone) {
      const strong = document.createElement("b");
      strong.textContent = title;
      button.append(strong, " ");
    }
    button.append(variant);
    button.addEventListener("click", () => showCase(place, true));
    name.append(button);
    return name;
  };

  const fillHeat = (left) => {
    const present = new Set(left.map((row) => row.contender));
    const contenders = data.contenders.filter((contender) => present.has(contender));
    const head = document.createElement("tr");
    head.append(heading(""), ...contenders.map((contender) => heading(contender)));
    byId("heat").tHead.replaceChildren(head);
    const operations = new Map();
    for (const row of left) {
      if (!operations.has(row.title)) operations.set(row.title, new Map());
      const cases = operations.get(row.title);
      if (!cases.has(row.place)) cases.set(row.place, new Map());
      cases.get(row.place).set(row.contender, row);
    }
    const body = [];
    for (const [title, cases] of operations) {
      // One case alone needs no line for its operation.
      if (cases.size > 1) {
        const line = document.createElement("tr");
        line.append(heading(title, "operation"));
        body.push(line);
      }
      for (const [place, cells] of cases) {
        const line = document.createElement("tr");
        line.append(caseName(place, cases.size === 1), ...contenders.map((one) => heatCell(cells.get(one))));
        body.push(line);
      }
    }
    byId("heat").tBodies[0].replaceChildren(...body);
    markChosen();
  };

  // ---- the choice, in the page's address -----------------------------------------------------

  const CHOICES = [...FILTERS.map((name) => `filter-${name}`), "filter-case", "case"];

  // So that a view can be sent to somebody; a case goes by its name, which no other run shifts.
  const remember = () => {
    const choice = new URLSearchParams();
    for (const id of CHOICES) {
      const value = id === "case" ? data.cases[byId(id).value]?.name : byId(id).value;
      if (value) choice.set(id.replace("filter-", "only-"), value);
    }
    history.replaceState(null, "", `#${choice}`);
  };

  // What the address names and this page does not have is left alone.
  const recall = () => {
    const choice = new URLSearchParams(location.hash.slice(1));
    for (const id of CHOICES.slice(0, -1)) {
      byId(id).value = choice.get(id.replace("filter-", "only-")) ?? "";
      if (byId(id).selectedIndex === -1) byId(id).value = "";
    }
    const place = data.cases.findIndex(({ name }) => name === choice.get("case"));
    return Math.max(0, place);
  };

  // ---- light and dark ----------------------------------------------------------------------

  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  // A page from a file may have no storage; it then follows the system each time.
  const remembered = (action) => {
    try {
      return action(localStorage);
    } catch {
      return null;
    }
  };

  const prepareTheme = () => {
    const button = byId("theme");
    const label = () => (button.textContent = isDark() ? "light" : "dark");
    const stored = remembered((storage) => storage.getItem("speedmetal-theme"));
    if (stored) root.dataset.theme = stored;
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      remembered((storage) => storage.setItem("speedmetal-theme", root.dataset.theme));
      label();
      drawAll();
    });
    prefersDark.addEventListener("change", () => {
      label();
      drawAll();
    });
    label();
  };

  // ---- the page ----------------------------------------------------------------------------

  const update = () => {
    const left = chosen();
    remember();
    byId("filter-count").textContent = `${left.length} of ${plural(rows.length, "result")}`;
    if (byId("roofline-remark")) {
      const without = new Set(left.filter((row) => !row.flops).map((row) => row.place)).size;
      byId("roofline-remark").textContent =
        "Work per second against work per byte, under the roofs measured on this machine: " +
        "bandwidth from main memory on the slope, matrix products on the flat. Work that stays in " +
        "a cache may lie above the slope. Points that differ from the baseline by less than the " +
        `noise are grey.${without ? ` Not shown: ${plural(without, "case")} without floating-point work.` : ""}`;
    }
    fillHeat(left);
    fillTable(byId("results"), RESULT_COLUMNS, sorted(left));
    for (const name of ["sizes", "roofline"]) refill(name);
  };

  const drawAll = async () => {
    for (const name of CHARTS) await draw(name);
    // A filter may have been set while the charts were drawn.
    for (const name of CHARTS) await refill(name);
    document.body.dataset.ready = "true";
  };

  const redrawWhenResized = () => {
    let width = innerWidth;
    let timer = 0;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      clearTimeout(timer);
      timer = setTimeout(drawAll, 200);
    });
  };

  prepareTheme();
  fillFilters();
  fillCases();
  prepareSorting();
  const first = recall();
  if (data.cases.length > 0) showCase(first, false);
  update();
  drawAll();
  redrawWhenResized();
})();
