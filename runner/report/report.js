"use strict";
// What the page does once it is open: draws figures, sorts, and shows candidates. No network.
(async () => {
  const MANY = 4000; // points from which on WebGL draws, where there is any
  const PRINT_PX = 680;
  const SYMBOLS = ["circle", "diamond", "x", "circle-open", "cross-thin-open", "square-open"];
  const FATE_COLOURS = ["#0072b2", "#8f4a80", "#b3261e", "#00795b", "#6b7280", "#946200"];
  const ATOM_COLOURS = ["#4c9fd6", "#e69f00", "#3fae87", "#cf7db0", "#c9bd2e", "#a3adb8", "#e0773f", "#7fc4ee"];
  const STOPS = [[0, 34, 78], [65, 77, 107], [124, 123, 120], [188, 175, 111], [254, 232, 56]]; // cividis
  const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  const LAYOUT = { font: { family: "system-ui, sans-serif", size: 14, color: "#1f2933" }, margin: { l: 70, r: 16, t: 16, b: 60 }, paper_bgcolor: "#fff", plot_bgcolor: "#fff" };
  const byId = (id) => document.getElementById(id);

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(byId(id).textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function element(name, attributes = {}, ...children) {
    const svg = ["svg", "circle", "line", "text", "g"].includes(name);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function shown(value) {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number") return String(value);
    const size = Math.abs(value);
    if (value !== 0 && !Number.isInteger(value) && (size < 1e-3 || size >= 1e5)) return value.toExponential(3).replace("-", "−");
    return value.toLocaleString("en", { maximumSignificantDigits: Number.isInteger(value) ? 12 : 4 }).replace("-", "−");
  }

  if (typeof DecompressionStream === "undefined") {
    byId("old-browser").hidden = false;
    return;
  }
  const DATA = JSON.parse(await unpacked("packed-data"));
  const library = document.createElement("script");
  library.textContent = await unpacked("packed-plotly");
  document.head.append(library);
  document.documentElement.classList.add("has-js");
  const points = DATA.points;
  const columns = new Map((points ? points.columns : []).map((one) => [one.name, one]));
  const words = (name) => (columns.has(name) ? columns.get(name).label : name);

  // --- controls -----------------------------------------------------------------------------
  function choice(form, label, options, value, changed) {
    const select = element("select");
    for (const [key, text] of options) select.append(element("option", { value: key }, text));
    select.value = value;
    select.addEventListener("change", () => changed(select.value));
    const about = columns.get(value);
    if (about && about.about) select.title = about.about;
    const target = document.querySelector(`[data-controls=${form}]`);
    select.id = `${form}-${target.children.length}`;
    target.append(element("div", {}, element("label", { for: select.id }, label), select));
    return select;
  }
  const numberOptions = () => [...columns.values()].map((one) => [one.name, one.label]);
  const ENDS = [["largest", "larger is better"], ["smallest", "smaller is better"]];

  // --- figures ------------------------------------------------------------------------------
  const place = (name) => document.querySelector(`[data-figure="${name}"]`);
  function draw(name, data, layout) {
    const target = place(name);
    const whole = { ...LAYOUT, ...layout, autosize: true };
    for (const axis of ["xaxis", "yaxis"]) {
      if (whole[axis]) whole[axis] = { gridcolor: "#e5e7eb", zerolinecolor: "#9aa5b1", linecolor: "#9aa5b1", ...whole[axis] };
    }
    target.style.height = `${whole.height || 420}px`;
    Plotly.react(target, data, whole, CONFIG);
    // The caption and the table say it to those who do not see it.
    target.querySelectorAll("svg.main-svg").forEach((one) => one.setAttribute("aria-hidden", "true"));
    return target;
  }
  const wide = () => window.innerWidth > 760;

  // --- structures ---------------------------------------------------------------------------
  function atoms([cell, names, counts, positions]) {
    const found = [];
    let at = 0;
    names.forEach((name, kind) => {
      for (let n = 0; n < counts[kind]; n += 1, at += 3) {
        const fractions = [0, 1, 2].map((i) => positions[at + i] / 1000);
        const images = [[]];
        const all = fractions.reduce((some, f) => some.flatMap((one) => (f < 0.005 ? [[...one, f], [...one, f + 1]] : [[...one, f]])), images);
        for (const f of all) found.push({ name, kind, at: cartesian(cell, f) });
      }
    });
    return found;
  }
  const cartesian = (cell, f) => [0, 1, 2].map((i) => (f[0] * cell[i] + f[1] * cell[3 + i] + f[2] * cell[6 + i]) / 1000);
  function turned(v, [yaw, pitch]) {
    const [x, y, z] = v;
    const across = x * Math.cos(yaw) + y * Math.sin(yaw);
    const deep = -x * Math.sin(yaw) + y * Math.cos(yaw);
    return [across, z * Math.cos(pitch) - deep * Math.sin(pitch), z * Math.sin(pitch) + deep * Math.cos(pitch)];
  }
  function picture(formula, packed) {
    const svg = element("svg", { viewBox: "-120 -120 240 240", role: "img", tabindex: "0", "aria-label": `Unit cell of ${formula}; arrow keys turn it` });
    const angles = [0.45, 0.3];
    const cell = packed[0];
    const list = atoms(packed);
    const corners = [0, 1].flatMap((a) => [0, 1].flatMap((b) => [0, 1].map((c) => [a, b, c])));
    const middle = cartesian(cell, [0.5, 0.5, 0.5]);
    const centred = (v) => v.map((x, i) => x - middle[i]);
    const reach = Math.max(...corners.map((f) => Math.hypot(...centred(cartesian(cell, f)))));
    const scale = 98 / reach;
    function redraw() {
      svg.replaceChildren();
      const parts = [];
      corners.forEach((f, i) => corners.slice(i + 1).forEach((g) => {
        if (f.reduce((sum, x, k) => sum + Math.abs(x - g[k]), 0) !== 1) return;
        const [p, q] = [f, g].map((one) => turned(centred(cartesian(cell, one)), angles));
        parts.push([Math.max(p[2], q[2]) + 0.01, element("line", { x1: p[0] * scale, y1: -p[1] * scale, x2: q[0] * scale, y2: -q[1] * scale, stroke: "#7b8794", "stroke-width": 1.2 })]);
      }));
      for (const atom of list) {
        const p = turned(centred(atom.at), angles);
        const radius = Math.min(26, Math.max(5, 0.42 * (DATA.radii[atom.name] || 1.4) * scale));
        const one = element("g", {}, element("circle", { cx: p[0] * scale, cy: -p[1] * scale, r: radius, fill: ATOM_COLOURS[atom.kind % ATOM_COLOURS.length], stroke: "#1f2933", "stroke-width": 0.8 }));
        if (radius > 7) {
          const text = element("text", { x: p[0] * scale, y: -p[1] * scale, "text-anchor": "middle", "dominant-baseline": "central", "font-size": Math.min(12, radius), fill: "#000" });
          text.textContent = atom.name;
          one.append(text);
        }
        parts.push([p[2], one]);
      }
      // The eye is where depth is smallest.
      parts.sort((a, b) => b[0] - a[0]).forEach(([, one]) => svg.append(one));
    }
    const turn = (yaw, pitch) => { angles[0] += yaw; angles[1] += pitch; redraw(); };
    svg.addEventListener("pointermove", (event) => { if (event.buttons) turn(event.movementX / 90, event.movementY / 90); });
    svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[event.key];
      if (by) { event.preventDefault(); turn(...by); }
    });
    redraw();
    return svg;
  }

  function card(target, at, names) {
    const list = element("dl");
    for (const name of new Set(names)) {
      const column = columns.get(name);
      if (column) list.append(element("dt", {}, column.label), element("dd", {}, shown(column.values[at])));
    }
    const packed = DATA.structures[at];
    const seen = packed ? picture(points.formula[at], packed) : element("p", { class: "small" }, "No computed structure is in this page.");
    target.replaceChildren(element("h3", {}, points.formula[at]), element("div", { class: "small" }, `${points.fates[points.fate[at]]}${points.id[at] ? ` · ${points.id[at]}` : ""}`), seen, list);
    if (byId(`c-${at}`)) target.append(element("a", { href: `#c-${at}` }, "in the table of the best"));
    if (DATA.spectra && DATA.spectra.some((one) => one.at === at)) {
      const link = element("a", { href: "#spectra" }, "bands and density of states");
      link.addEventListener("click", () => showSpectra(at));
      target.append(element("div", {}, link));
    }
    target.hidden = false;
  }

  // --- the table of the best ----------------------------------------------------------------
  function best() {
    const state = DATA.best;
    const table = byId("best-table");
    const bySelect = choice("best", "Rank by", numberOptions(), state.by, (name) => rank(name, state.largest));
    const endSelect = choice("best", "Best is", ENDS, state.largest ? "largest" : "smallest", (end) => rank(state.by, end === "largest"));
    function ranked() {
      const values = columns.get(state.by).values;
      const sign = state.largest ? -1 : 1;
      const out = [points.fates.indexOf("rejected"), points.fates.indexOf("reference")];
      return [...values.keys()].filter((at) => values[at] !== null && !out.includes(points.fate[at])).sort((a, b) => sign * (values[a] - values[b]) || a - b);
    }
    function rank(name, largest) {
      state.by = name;
      state.largest = largest;
      if (!state.columns.includes(name)) state.columns = [name, ...state.columns.slice(0, 4)];
      bySelect.value = name;
      endSelect.value = largest ? "largest" : "smallest";
      fill();
    }
    function head(name) {
      const sorted = name === state.by ? { "aria-sort": state.largest ? "descending" : "ascending" } : {};
      const button = element("button", { type: "button" }, words(name));
      button.addEventListener("click", () => { rank(name, name === state.by ? !state.largest : state.largest); [...table.querySelectorAll("th button")].find((one) => one.textContent === words(name)).focus(); });
      const cell = element("th", { scope: "col", class: "n", ...sorted }, button);
      if (columns.get(name).about) cell.title = columns.get(name).about;
      return cell;
    }
    function fill() {
      const order = ranked();
      const few = order.slice(0, state.shown);
      table.caption.textContent = `The best ${few.length} of ${order.length.toLocaleString("en")} by ${words(state.by)}, ${state.largest ? "largest" : "smallest"} first`;
      table.tHead.replaceChildren(element("tr", {}, element("th", { scope: "col" }, "candidate"), element("th", { scope: "col" }, "state"), ...state.columns.map(head)));
      table.tBodies[0].replaceChildren(...few.map((at) => {
        const link = element("a", { id: `c-${at}`, href: `#c-${at}` }, points.formula[at]);
        link.addEventListener("click", () => show(at));
        return element("tr", {}, element("th", { scope: "row" }, link), element("td", {}, points.fates[points.fate[at]]), ...state.columns.map((name) => element("td", { class: "n" }, shown(columns.get(name).values[at]))));
      }));
    }
    function show(at) {
      table.querySelectorAll("tr.chosen").forEach((one) => one.classList.remove("chosen"));
      const link = byId(`c-${at}`);
      if (link) link.closest("tr").classList.add("chosen");
      card(byId("best-card"), at, [state.by, ...state.columns]);
    }
    fill();
    const wanted = /^#c-(\d+)$/.exec(location.hash);
    if (wanted && points.formula[wanted[1]]) show(Number(wanted[1]));
    else if (ranked().length) show(ranked()[0]);
  }

  // --- two columns --------------------------------------------------------------------------
  function pareto(x, y, xlargest, ylargest) {
    const [sx, sy] = [xlargest ? -1 : 1, ylargest ? -1 : 1];
    const known = [...x.keys()].filter((at) => x[at] !== null && y[at] !== null).sort((a, b) => sx * (x[a] - x[b]) || sy * (y[a] - y[b]) || a - b);
    const front = [];
    let lowest = Infinity;
    let last = -1;
    for (const at of known) {
      if (sy * y[at] < lowest || (last >= 0 && x[at] === x[last] && y[at] === y[last])) {
        front.push(at);
        lowest = sy * y[at];
        last = at;
      }
    }
    return front;
  }
  const webgl = () => { const canvas = document.createElement("canvas"); return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl")); };

  function scatter() {
    const state = { colour: "", ...DATA.scatter };
    const kind = points.formula.length > MANY && webgl() ? "scattergl" : "scatter";
    const change = (key) => (value) => { state[key] = value; redraw(); };
    choice("scatter", "Across", numberOptions(), state.x, change("x"));
    choice("scatter", "Across, for the Pareto front", ENDS, state.xlargest ? "largest" : "smallest", (end) => change("xlargest")(end === "largest"));
    choice("scatter", "Up", numberOptions(), state.y, change("y"));
    choice("scatter", "Up, for the Pareto front", ENDS, state.ylargest ? "largest" : "smallest", (end) => change("ylargest")(end === "largest"));
    choice("scatter", "Colour", [["", "what became of it"], ...numberOptions()], "", change("colour"));
    function trace(name, which, marker) {
      const [x, y] = [columns.get(state.x).values, columns.get(state.y).values];
      return { type: kind, mode: "markers", name, x: which.map((at) => x[at]), y: which.map((at) => y[at]), text: which.map((at) => points.formula[at]), customdata: which, marker: { size: which.length > 500 ? 6 : 9, opacity: 0.8, ...marker }, hovertemplate: "%{text}<br>%{x}, %{y}<extra></extra>" };
    }
    function traces() {
      const [x, y] = [columns.get(state.x).values, columns.get(state.y).values];
      const known = [...x.keys()].filter((at) => x[at] !== null && y[at] !== null);
      if (state.colour) {
        const values = columns.get(state.colour).values;
        const colour = known.filter((at) => values[at] !== null);
        return [trace(words(state.colour), colour, { color: colour.map((at) => values[at]), colorscale: "Viridis", showscale: true, colorbar: { title: { text: words(state.colour), side: "right" }, thickness: 12 } })];
      }
      return points.fates.map((name, fate) => trace(name, known.filter((at) => points.fate[at] === fate), { color: FATE_COLOURS[fate], symbol: SYMBOLS[fate] })).filter((one) => one.x.length);
    }
    function redraw() {
      const [x, y] = [columns.get(state.x).values, columns.get(state.y).values];
      const out = [points.fates.indexOf("rejected"), points.fates.indexOf("reference")];
      const counted = (values) => values.map((value, at) => (out.includes(points.fate[at]) ? null : value));
      const front = pareto(counted(x), counted(y), state.xlargest, state.ylargest);
      const line = { type: kind, mode: "lines", name: "Pareto front", x: front.map((at) => x[at]), y: front.map((at) => y[at]), line: { color: "#1f2933", width: 1.5, dash: "dot" }, hoverinfo: "skip" };
      const target = draw("scatter", [line, ...traces()], { height: wide() ? 480 : 400, hovermode: "closest", showlegend: !state.colour, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, margin: { l: 70, r: 16, t: 60, b: 60 }, xaxis: { title: { text: words(state.x) } }, yaxis: { title: { text: words(state.y) }, automargin: true } });
      if (!target.listening) {
        target.listening = true;
        const show = (event) => { const at = event.points[0].customdata; if (at !== undefined) card(byId("scatter-card"), at, [state.x, state.y, ...(state.colour ? [state.colour] : []), ...DATA.best.columns]); };
        target.on("plotly_hover", show);
        target.on("plotly_click", show);
        if (front.length) show({ points: [{ customdata: front[Math.floor(front.length / 2)] }] });
      }
      const rows = front.slice(0, 30).map((at) => element("tr", {}, element("th", { scope: "row" }, points.formula[at]), element("td", { class: "n" }, shown(x[at])), element("td", { class: "n" }, shown(y[at]))));
      const head = element("tr", {}, ...["candidate", words(state.x), words(state.y)].map((text, i) => element("th", { scope: "col", class: i ? "n" : "" }, text)));
      const caption = element("caption", {}, `Pareto front: ${front.length} ${front.length === 1 ? "candidate" : "candidates"} that no other beats in both${front.length > 30 ? ", 30 of them" : ""}`);
      byId("pareto").replaceChildren(element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Pareto front" }, element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...rows))));
    }
    redraw();
  }

  // --- one column ---------------------------------------------------------------------------
  function distribution() {
    const state = { ...DATA.distribution };
    choice("distribution", "Column", numberOptions(), state.x, (name) => { state.x = name; redraw(); });
    const rejected = points.fates.indexOf("rejected");
    const middle = (sorted, share) => { const at = (sorted.length - 1) * share; const low = Math.floor(at); return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]); };
    function redraw() {
      const values = columns.get(state.x).values;
      const known = values.filter((value) => value !== null);
      const [low, high] = known.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
      const bins = Math.max(8, Math.min(60, Math.ceil(Math.sqrt(known.length))));
      const size = ((high - low) / bins) * (1 + 1e-9) || 1; // the largest value belongs into the last bin
      const xbins = { start: low, end: low + bins * size, size };
      const groups = [["not rejected", (at) => points.fate[at] !== rejected, "#0072b2", ""], ["rejected", (at) => points.fate[at] === rejected, "#9aa5b1", "/"]];
      const data = [];
      const rows = [];
      for (const [name, belongs, colour, shape] of groups) {
        const some = values.filter((value, at) => value !== null && belongs(at)).sort((a, b) => a - b);
        if (!some.length) continue;
        data.push({ type: "histogram", name, x: some, xbins, autobinx: false, marker: { color: colour, pattern: { shape, fgcolor: "#1f2933", fgopacity: 0.4 }, line: { color: "#fff", width: 0.5 } } });
        rows.push(element("tr", {}, element("th", { scope: "row" }, name), ...[some.length, some[0], middle(some, 0.25), middle(some, 0.5), middle(some, 0.75), some[some.length - 1]].map((v) => element("td", { class: "n" }, shown(v)))));
      }
      draw("distribution", data, { height: 360, barmode: "stack", showlegend: data.length > 1, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, margin: { l: 70, r: 16, t: data.length > 1 ? 50 : 16, b: 60 }, xaxis: { title: { text: words(state.x) } }, yaxis: { title: { text: "candidates" }, automargin: true } });
      const head = element("tr", {}, ...["", "candidates", "smallest", "quarter below", "median", "quarter above", "largest"].map((text, i) => element(i ? "th" : "td", i ? { scope: "col", class: "n" } : {}, text)));
      const about = columns.get(state.x).about;
      byId("distribution-table").replaceChildren(element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Distribution in numbers" }, element("table", {}, element("caption", {}, `${words(state.x)}${about ? `: ${about}` : ""}`), element("thead", {}, head), element("tbody", {}, ...rows))));
    }
    redraw();
  }

  // --- elements -----------------------------------------------------------------------------
  function colour(share) {
    const at = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
    const low = Math.min(Math.floor(at), STOPS.length - 2);
    return STOPS[low].map((value, i) => Math.round(value + (at - low) * (STOPS[low + 1][i] - value)));
  }
  const luminance = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  function elements() {
    const { cells, measures } = DATA.elements;
    choice("elements", "Colour and number", measures.map((one, at) => [String(at), one.name]), "0", (at) => redraw(measures[at]));
    function redraw({ name, values }) {
      const known = Object.values(values);
      const [low, high] = [Math.min(...known), Math.max(...known)];
      byId("periodic").replaceChildren(...cells.map(([symbol, row, column]) => {
        const value = values[symbol];
        const cell = element("div", { style: `grid-row:${row};grid-column:${column}` }, element("b", {}, symbol));
        if (value !== undefined) {
          const rgb = colour(high > low ? (value - low) / (high - low) : 1);
          cell.style.background = `rgb(${rgb})`;
          cell.style.color = luminance(rgb) > 0.19 ? "#000" : "#fff";
          cell.append(shown(Number.isInteger(value) ? value : Number(value.toPrecision(3))));
        }
        return cell;
      }));
      const bar = element("span", { class: "bar" });
      bar.style.background = `linear-gradient(to right, ${STOPS.map((rgb) => `rgb(${rgb})`).join(",")})`;
      byId("periodic-scale").replaceChildren(shown(low), bar, `${shown(high)}   ${name}`);
    }
    redraw(measures[0]);
  }

  function hull() {
    const names = Object.keys(DATA.hull);
    const redraw = (name) => draw("hull", DATA.hull[name].data, DATA.hull[name].layout);
    choice("hull", "Chemical system", names.map((one) => [one, one]), names[0], redraw);
    redraw(names[0]);
  }

  // --- bands and densities of states ----------------------------------------------------------
  const SPINS = [{ name: "spin up", color: "#0072b2", dash: "solid" }, { name: "spin down", color: "#b3261e", dash: "4px,3px" }];
  const REACH_EV = 6; // shown on either side of the gap, where there is so much
  let showSpectra = () => {};
  function spinLine(spin, of) {
    const { color, dash } = SPINS[spin];
    return { color: of > 1 ? color : "#0072b2", width: 1.6, dash };
  }
  function bandTraces({ distances_per_ang: across, energies_ev: spins }) {
    return spins.map((bands, spin) => ({
      type: "scatter", mode: "lines", name: SPINS[spin].name, legendgroup: SPINS[spin].name, showlegend: spins.length > 1, line: spinLine(spin, spins.length), hovertemplate: "%{y:.3f} eV<extra></extra>",
      // Null parts one band from the next, and the two sides of a jump of the path.
      x: bands.flatMap(() => [...across.flatMap((x, at) => (jumps(across, at) ? [null, x] : [x])), null]),
      y: bands.flatMap((band) => [...band.flatMap((e, at) => (jumps(across, at) ? [null, e] : [e])), null]),
    }));
  }
  const jumps = (across, at) => at > 0 && across[at] === across[at - 1];
  function dosTraces({ start_ev: start, step_ev: step, states_per_ev: spins, n_atoms: atoms }, axes) {
    return spins.map((states, spin) => ({
      type: "scatter", mode: "lines", name: SPINS[spin].name, legendgroup: SPINS[spin].name, showlegend: false, line: spinLine(spin, spins.length), fill: "tozerox", fillcolor: spin ? "rgba(179,38,30,.12)" : "rgba(0,114,178,.18)", hovertemplate: "%{x:.3f} at %{y:.2f} eV<extra></extra>", ...axes,
      x: states.map((value) => value / atoms), y: states.map((_, at) => start + at * step),
    }));
  }
  function ticksOf({ distances_per_ang: across, ticks }) {
    const labels = new Map();
    for (const [at, label] of ticks) labels.set(across[at], labels.has(across[at]) && labels.get(across[at]) !== label ? `${labels.get(across[at])}|${label}` : label);
    const tickvals = [...labels.keys()];
    const apart = wide() ? 0 : across[across.length - 1] / 14; // labels that would lie on each other go
    let last = -Infinity;
    const ticktext = tickvals.map((x) => { if (x - last < apart) return ""; last = x; return labels.get(x); });
    return { tickvals, ticktext, tickangle: 0 };
  }
  function edgeTrace(bands) {
    const edges = [["highest filled", "vbm_at", 0, "circle"], ["lowest empty", "cbm_at", bands.band_gap_ev, "diamond"]].filter(([, at]) => bands[at] !== undefined);
    return { type: "scatter", mode: "markers", name: "edges of the gap", showlegend: false, x: edges.map(([, at]) => bands.distances_per_ang[bands[at]]), y: edges.map((one) => one[2]), text: edges.map(([name]) => name), hovertemplate: "%{text}: %{y:.3f} eV<extra></extra>", cliponaxis: false, marker: { size: 10, color: "#fff", symbol: edges.map((one) => one[3]), line: { color: "#1f2933", width: 2 } } };
  }
  function spectraWords({ formula, bands, dos }) {
    const about = bands || dos;
    const stages = [bands, dos].filter(Boolean).map((one) => one.stage).join(" and ");
    if (about.is_metal) return `${formula} is a metal in this calculation (stage ${stages}).`;
    const direct = about.band_gap_ev > about.direct_gap_ev - 1e-3;
    const way = about.vbm_kpoint && about.cbm_kpoint ? `, from ${about.vbm_kpoint} to ${about.cbm_kpoint}` : "";
    return `${formula}: ${direct ? "direct" : "indirect"} gap of ${shown(about.band_gap_ev)} eV${way}${direct ? "" : `; smallest direct gap ${shown(about.direct_gap_ev)} eV`} (stage ${stages}).`;
  }
  function spectra() {
    const list = DATA.spectra;
    const select = choice("spectra", "Candidate, the best first", list.map((one, n) => [String(n), `${n + 1}. ${one.formula}`]), "0", (n) => redraw(list[n]));
    function redraw(one) {
      const { bands, dos } = one;
      const gap = (bands || dos).is_metal ? 0 : (bands || dos).band_gap_ev || 0;
      const [low, high] = [-REACH_EV, gap + REACH_EV];
      const both = bands && dos;
      const traces = [...(bands ? bandTraces(bands) : []), ...(bands && !bands.is_metal ? [edgeTrace(bands)] : []), ...(dos ? dosTraces(dos, bands ? { xaxis: "x2" } : {}) : [])];
      const line = (more) => ({ type: "line", layer: "below", line: { color: "#9aa5b1", width: 1 }, ...more });
      const shapes = [line({ xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, line: { color: "#1f2933", width: 1, dash: "dot" } })];
      if (gap > 0) shapes.push({ type: "rect", layer: "below", xref: "paper", x0: 0, x1: 1, y0: 0, y1: gap, fillcolor: "#f4d58d", opacity: 0.45, line: { width: 0 } });
      const axes = {};
      const states = { title: { text: wide() || !bands ? "states / eV / atom" : "states", standoff: 8 }, tickangle: 0, nticks: wide() ? 4 : 2, range: dos ? [0, topOf(dos, low, high)] : undefined };
      if (bands) {
        const end = bands.distances_per_ang[bands.distances_per_ang.length - 1];
        axes.xaxis = { domain: both ? [0, wide() ? 0.74 : 0.7] : [0, 1], range: [0, end], showgrid: false, ...ticksOf(bands) };
        for (const x of axes.xaxis.tickvals) shapes.push(line({ yref: "paper", x0: x, x1: x, y0: 0, y1: 1 }));
        if (dos) axes.xaxis2 = { domain: [0.78, 1], anchor: "y", gridcolor: "#e5e7eb", linecolor: "#9aa5b1", ...states };
      } else axes.xaxis = states;
      const zero = (bands || dos).zero === "vbm" ? "highest filled energy" : "Fermi energy";
      const spins = Math.max(bands ? bands.energies_ev.length : 0, dos ? dos.states_per_ev.length : 0);
      draw("spectra", traces, { height: wide() ? 520 : 420, hovermode: "closest", showlegend: spins > 1, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, margin: { l: wide() ? 70 : 56, r: 16, t: spins > 1 ? 50 : 16, b: 60 }, shapes, ...axes, yaxis: { title: { text: `energy above the ${zero} / eV` }, range: [low, high], zeroline: false } });
      byId("spectra-words").textContent = spectraWords(one) + leftOut(one);
    }
    function topOf({ start_ev: start, step_ev: step, states_per_ev: of, n_atoms: atoms }, low, high) {
      const inside = of.flatMap((states) => states.filter((_, at) => start + at * step > low && start + at * step < high));
      return (1.08 * Math.max(...inside, 1e-6)) / atoms;
    }
    function leftOut({ bands }) {
      return bands && bands.left_out.points ? ` Every point that was left out of the curves lies between two that are drawn: ${bands.left_out.points} of ${bands.left_out.points + bands.distances_per_ang.length}.` : "";
    }
    showSpectra = (at) => { const n = list.findIndex((one) => one.at === at); if (n >= 0) { select.value = String(n); redraw(list[n]); } };
    redraw(list[0]);
  }

  for (const [name, figure] of Object.entries(DATA.figures)) if (place(name)) draw(name, figure.data, figure.layout);
  for (const [name, start] of Object.entries({ spectra, best, scatter, distribution, elements, hull })) if (DATA[name]) start();

  const plots = () => [...document.querySelectorAll(".js-plotly-plot")];
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach((one) => { one.open = true; one.dataset.folded = "yes"; });
    plots().forEach((one) => Plotly.relayout(one, { width: Math.min(PRINT_PX, one.parentElement.clientWidth || PRINT_PX), autosize: false }));
  });
  window.addEventListener("afterprint", () => {
    document.querySelectorAll("details[data-folded]").forEach((one) => { one.open = false; delete one.dataset.folded; });
    plots().forEach((one) => Plotly.relayout(one, { width: null, autosize: true }));
  });
  window.report = { pareto, points };
  document.documentElement.dataset.ready = "yes";
})();
