"use strict";
// Sorts and narrows the tables, filters the flips. Reads the page's own text only; without it the page shows everything.
(() => {
  const tables = [...document.querySelectorAll(".accuracy, .matrix")];
  const listed = new Map(tables.map((table) => [table, [...table.tBodies]]));
  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
  const lowest = (body, of) => {
    const cells = [...body.querySelectorAll("[data-recovery]")].filter(
      (cell) => !cell.closest("[hidden]") && (!of || cell.dataset.of === of));
    return cells.length ? Math.min(...cells.map((cell) => Number(cell.dataset.recovery))) : NaN;
  };
  const order = (table, of, way) => {
    const keyed = listed.get(table).map((body) => [lowest(body, of), body]);
    const sign = way === "descending" ? -1 : 1;
    // What has no recovery comes last either way.
    if (way !== "none") keyed.sort(([one], [other]) =>
      isNaN(one) || isNaN(other) ? isNaN(one) - isNaN(other) : sign * (one - other));
    table.append(...keyed.map(([, body]) => body));
    table.classList.toggle("sorted", way !== "none");
  };
  const sort = (head, way) => {
    for (const other of head.parentElement.querySelectorAll("[data-sorts]")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", way);
    order(head.closest("table"), head.dataset.sorts, way);
  };
  for (const head of document.querySelectorAll("[data-sorts]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by recovery: the lowest first, the highest first, as listed";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sort(head, NEXT[head.getAttribute("aria-sort")]));
  }
  const chooser = document.getElementById("columns");
  if (!chooser) return;
  const placed = (body) => {
    // What stands once for all candidates of a row stands with the first that is shown.
    const lead = [...body.querySelectorAll("[rowspan]")];
    const shown = [...body.rows].filter((row) => !row.hidden);
    if (shown.length) shown[0].prepend(...lead);
    for (const cell of lead) cell.rowSpan = Math.max(shown.length, 1);
    shown.forEach((row, at) => row.classList.toggle("goes-on", at + 1 < shown.length));
  };
  const narrow = () => {
    for (const box of chooser.querySelectorAll("[data-column]"))
      for (const table of tables) table.classList.toggle("no-" + box.dataset.column, !box.checked);
    for (const box of chooser.querySelectorAll("[data-candidate]"))
      for (const table of tables)
        for (const one of table.querySelectorAll("[data-of='" + box.dataset.candidate + "']")) one.hidden = !box.checked;
    for (const table of tables) if (table.classList.contains("several")) listed.get(table).forEach(placed);
    for (const head of document.querySelectorAll("[aria-sort$='scending']")) sort(head, head.getAttribute("aria-sort"));
  };
  chooser.addEventListener("submit", (event) => event.preventDefault());
  chooser.addEventListener("change", narrow);
  chooser.hidden = false;
  narrow(); // a browser that comes back to the page keeps what was chosen
})();
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const part = (name) => document.getElementById("filter-" + name);
  const [text, task, candidate, direction] = ["text", "task", "candidate", "direction"].map(part);
  const decks = [...document.querySelectorAll(".deck")];
  const words = new WeakMap();
  const searched = (flip) => {
    if (!words.has(flip)) {
      const parts = [...flip.querySelectorAll(".id, .question, .references, .parsed, .answer")];
      words.set(flip, parts.map((one) => one.textContent).join("\n").toLowerCase());
    }
    return words.get(flip);
  };
  const fits = (flip, wanted) =>
    (!direction.value || flip.dataset.direction === direction.value) &&
    wanted.every((word) => searched(flip).includes(word));
  const filter = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const any = wanted.length || task.value || candidate.value || direction.value;
    let shown = 0, all = 0;
    for (const deck of decks) {
      const meant =
        (!task.value || deck.dataset.task === task.value) &&
        (!candidate.value || deck.dataset.candidate === candidate.value);
      let here = 0;
      for (const flip of deck.querySelectorAll(".flip")) {
        all += 1;
        flip.hidden = !(meant && fits(flip, wanted));
        here += !flip.hidden;
      }
      deck.hidden = Boolean(any) && !here;
      shown += here;
    }
    part("count").textContent = shown + " of " + all + " flips on this page";
    part("none").hidden = shown > 0;
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  form.hidden = false;
  filter();
})();
