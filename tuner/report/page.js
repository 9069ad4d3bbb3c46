"use strict";
// Draws the charts of a report, and links them: a click on a trial anywhere shows it everywhere.
(() => {
  const SVG_ROWS_MAX = 1500; // with more rows a chart is drawn as pixels
  const ERRORS = 1; // vega.Error
  const NOBODY = -1;
  let report = JSON.parse(document.getElementById("report").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const $ = (id) => document.getElementById(id);
  const views = new Map(); // of the charts, by their id
  let sorted = null; // the table's: [field, whether it falls]
  let round = 0; // of drawing; a newer one ends the one before
  let picked = NOBODY;

  const length = (name) => Object.values(report.tables[name])[0].length;

  // Vega writes into the rows that it is given, so each chart gets its own.
  function rows(name) {
    const columns = Object.entries(report.tables[name]);
    return Array.from({ length: length(name) }, (_, i) => Object.fromEntries(columns.map(([key, values]) => [key, values[i]])));
  }

  async function drawAll() {
    const mine = ++round;
    const scheme = dark.matches ? "dark" : "light";
    document.documentElement.dataset.drawn = "";
    for (const chart of report.charts) {
      const old = views.get(chart.id);
      const view = await draw(chart, scheme, old);
      if (mine !== round) return view.finalize();
      if (old) old.finalize();
      views.set(chart.id, view);
      await new Promise((go) => setTimeout(go)); // the page stays responsive
    }
    document.documentElement.dataset.drawn = scheme;
  }

  async function draw(chart, scheme, old) {
    const spec = { ...chart.spec, datasets: Object.fromEntries(chart.tables.map((name) => [name, rows(name)])) };
    const pixels = chart.tables.reduce((sum, name) => sum + length(name), 0) > SVG_ROWS_MAX;
    const place = $(chart.id);
    place.style.minHeight = `${place.offsetHeight}px`; // the page does not jump while it is drawn again
    const result = await vegaEmbed(place, spec, {
      mode: "vega-lite",
      config: report.config[scheme],
      renderer: pixels ? "canvas" : "svg",
      tooltip: { theme: scheme },
      actions: { export: true, source: false, compiled: false, editor: false },
      logLevel: ERRORS, // Vega warns of layers without rows, as that of the picked trial is
      downloadFileName: `${report.name} ${chart.id}`,
    });
    const view = result.view;
    place.dataset.scheme = scheme;
    const names = Object.keys(view.getState({ signals: () => true, data: () => false }).signals);
    view.picks = names.includes("picked");
    if (names.includes("over") && old) view.signal("over", old.signal("over"));
    if (view.picks) view.signal("picked", picked);
    view.addEventListener("click", (_, item) => {
      const trial = item && item.datum && item.datum.t;
      if (Number.isInteger(trial)) pick(trial === picked ? NOBODY : trial);
    });
    await view.runAsync();
    place.style.minHeight = "";
    return view;
  }

  function pick(trial) {
    picked = trial;
    for (const view of views.values()) if (view.picks) view.signal("picked", trial).runAsync();
    for (const row of document.querySelectorAll("tr[data-trial]")) {
      const is = Number(row.dataset.trial) === trial;
      row.classList.toggle("picked", is);
      row.setAttribute("aria-selected", is);
    }
    show(trial);
  }

  // The trial's parameters at the foot of the page.
  function show(trial) {
    const at = report.tables.trials.t.indexOf(trial);
    const panel = $("picked");
    panel.hidden = at < 0;
    if (at < 0) return;
    const close = element("button", "clear");
    close.onclick = () => pick(NOBODY);
    const parts = report.columns.map(({ field, label }) => {
      const part = element("span", `${label} `);
      part.append(element("b", text(report.tables.trials[field][at])));
      return part;
    });
    panel.firstElementChild.replaceChildren(...parts, close);
  }

  function element(tag, content) {
    const made = document.createElement(tag);
    made.textContent = content;
    return made;
  }

  const text = (value) => (value === null ? "-" : String(value));

  function fillTable() {
    const head = $("trials").tHead.rows[0];
    head.replaceChildren();
    for (const column of report.columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      const button = element("button", column.label);
      button.onclick = () => sort(column.field, cell);
      cell.append(button);
      cell.title = column.label;
      head.append(cell);
    }
    const made = report.tables.trials.t.map((trial, at) => {
      const row = document.createElement("tr");
      row.dataset.trial = trial;
      row.at = at;
      row.classList.toggle("best", trial === report.best);
      for (const { field } of report.columns) {
        const value = text(report.tables.trials[field][at]);
        const cell = document.createElement("td");
        if (field === "t") cell.append(element("button", value));
        else cell.textContent = value;
        if (value.length > 24) cell.title = value;
        row.append(cell);
      }
      return row;
    });
    $("trials").tBodies[0].replaceChildren(...made);
    $("trials").tBodies[0].onclick = (event) => {
      const row = event.target.closest("tr");
      if (row) pick(Number(row.dataset.trial) === picked ? NOBODY : Number(row.dataset.trial));
    };
    const [by, falls] = sorted && report.columns.some(({ field }) => field === sorted[0]) ? sorted : ["v", report.mode === "max"];
    sort(by, head.cells[report.columns.findIndex(({ field }) => field === by)], falls);
    $("filter").oninput = filter;
    filter();
  }

  function sort(field, cell, falling = cell.getAttribute("aria-sort") === "ascending") {
    sorted = [field, falling];
    const values = report.tables.trials[field];
    const body = $("trials").tBodies[0];
    const order = (a, b) => {
      const [x, y] = [values[a.at], values[b.at]];
      if (x === null || y === null) return (x === null) - (y === null); // what is missing comes last
      const sign = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return (falling ? -sign : sign) || a.at - b.at;
    };
    body.append(...Array.from(body.rows).sort(order));
    for (const other of cell.parentNode.cells) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", falling ? "descending" : "ascending");
  }

  // Every word must stand in a row, in one of its cells.
  function filter() {
    const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of $("trials").tBodies[0].rows) {
      const cells = Array.from(row.cells, (cell) => cell.textContent.toLowerCase());
      row.hidden = !words.every((word) => cells.some((cell) => cell.includes(word)));
      shown += !row.hidden;
    }
    $("shown").textContent = words.length ? `${shown} of ${report.tables.trials.t.length} trials` : "";
  }

  // Shows a newer report, in a page that has the elements for it.
  function update(newer) {
    report = newer;
    const shown = new Set(report.charts.map(({ id }) => id));
    for (const [id, view] of views) if (!shown.has(id)) (view.finalize(), views.delete(id));
    if ($("trials")) fillTable();
    pick(picked);
    return drawAll();
  }

  addEventListener("keydown", (event) => event.key === "Escape" && pick(NOBODY));
  if ($("trials")) fillTable();
  dark.addEventListener("change", drawAll);
  drawAll();
  window.tunerReport = { pick, drawAll, update };
})();
