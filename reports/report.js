"use strict";
// Filters the flips. Reads the page's own text only; without it the page shows everything.
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const part = (name) => document.getElementById("filter-" + name);
  const [text, task, candidate, direction] = ["text", "task", "candidate", "direction"].map(part);
  const decks = [...document.querySelectorAll(".deck")];
  const words = new WeakMap();
  const searched = (flip) => {
    if (!words.has(flip)) words.set(flip, flip.textContent.toLowerCase());
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
