"use strict";
// Keeps the page of a sweep up to date: asks for a newer one, and puts what has changed in place of what is there.
(() => {
  const POLL_MS = 2000;
  const address = `${location.pathname.replace(/\/$/, "")}/page`;
  const note = document.createElement("p");
  let tag = `"${document.currentScript.dataset.page}"`;
  note.setAttribute("role", "status");
  note.className = "goal";
  place();

  function place() {
    const list = document.createElement("a");
    list.href = "../";
    list.textContent = "all sweeps";
    const line = document.createElement("p");
    line.className = "goal";
    line.append(list);
    document.querySelector("header").prepend(line);
    document.querySelector("header").append(note);
  }

  // Charts stay where they are until they are drawn again; what was typed, scrolled to and chosen stays, too.
  async function show(text) {
    const newer = new DOMParser().parseFromString(text, "text/html");
    const filter = document.getElementById("filter");
    const [typed, at] = [filter && filter.value, filter && document.activeElement === filter ? filter.selectionStart : null];
    const open = Array.from(document.querySelectorAll("details"), (details) => details.open);
    const scrolled = new Map(Array.from(document.querySelectorAll(".table"), (table, i) => [i, [table.scrollLeft, table.scrollTop]]));
    for (const view of newer.querySelectorAll(".view[id]")) {
      const old = document.getElementById(view.id);
      if (old) view.replaceWith(old);
    }
    for (const name of ["header", "main", "footer"]) document.querySelector(name).replaceWith(newer.querySelector(name));
    document.title = newer.title;
    document.querySelector("meta[name=tuner-journal]").content = newer.querySelector("meta[name=tuner-journal]").content;
    document.querySelectorAll("details").forEach((details, i) => (details.open = Boolean(open[i])));
    place();
    const field = document.getElementById("filter");
    if (field && typed !== null) field.value = typed;
    const drawn = window.tunerReport.update(JSON.parse(newer.getElementById("report").textContent));
    document.querySelectorAll(".table").forEach((table, i) => {
      if (scrolled.has(i)) [table.scrollLeft, table.scrollTop] = scrolled.get(i);
    });
    if (field && at !== null) {
      field.focus({ preventScroll: true });
      field.setSelectionRange(at, at);
    }
    await drawn;
  }

  async function poll() {
    try {
      const answer = await fetch(address, { cache: "no-store", headers: { "If-None-Match": tag } });
      if (answer.status === 200) {
        await show(await answer.text());
        tag = answer.headers.get("ETag");
        note.textContent = "";
      } else if (answer.status === 304) note.textContent = "";
      else note.textContent = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("p")?.textContent || "";
    } catch (error) {
      if (!(error instanceof TypeError)) console.error(error);
      note.textContent = "The server does not answer. Start tuner ui --live again.";
    }
    setTimeout(next, POLL_MS);
  }

  function next() {
    if (document.hidden) document.addEventListener("visibilitychange", next, { once: true });
    else poll();
  }
  setTimeout(next, POLL_MS);
})();
