// The list: drawn from a template, and moved from the old order to the new one so that the eye can follow.
// What was acted upon stays where it was until the next change, so that nothing else comes under the pointer.

import { badge } from "/page/words.js";
import { stripes } from "/page/stripes.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const SETTLE = 420; // milliseconds in which rows move and take no click
const SAID = {
  like: ["♥ Liked", "In your history now, and no longer listed."],
  dislike: ["✕ Not for me", "It will not be listed again."],
};

function about(template, place) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.item = place.item_id;
  row.querySelector(".tile").append(stripes(place));
  row.querySelector(".name").textContent = place.title || place.item_id;
  row.querySelector(".categories").textContent = place.categories.join(" · ");
  return row;
}

function draw(template, place, scale, move) {
  const row = about(template, place);
  const find = (selector) => row.querySelector(selector);
  find(".rank").textContent = place.rank;
  find(".reason").textContent = place.reasons[0]?.text ?? "";
  find(".number").textContent = scale.say(place.score);
  find(".score").title = scale.legend;
  find(".dot").hidden = place.score === null;
  find(".dot").style.left = `${100 * scale.share(place.score)}%`;
  for (const button of row.querySelectorAll("button")) {
    button.setAttribute("aria-label", `${button.textContent.trim()}: ${place.title || place.item_id}`);
  }
  const mark = badge(move);
  find(".badge").textContent = mark;
  find(".badge").hidden = !mark;
  find(".badge").title = move === "new" ? "" : "Places moved, among what is in both lists";
  row.classList.toggle("is-new", move === "new");
  return row;
}

function drawDone(template, { place, feedback }) {
  const row = about(template, place);
  const [word, reason] = SAID[feedback];
  const said = Object.assign(document.createElement("p"), { className: "said", textContent: word });
  row.querySelector(".reason").textContent = reason;
  row.querySelector(".score").remove();
  row.querySelector(".feedback").replaceWith(said);
  row.classList.add("done", feedback);
  return row;
}

export function places(list) {
  return new Map([...list.children].map((row) => [row.dataset.item, row.getBoundingClientRect()]));
}

// Scroll so that a row stands where it stood; where the page cannot scroll, the row grows to cover that place.
function hold(row, was) {
  scrollBy({ top: row.getBoundingClientRect().top - was.top, behavior: "instant" });
  const missing = was.bottom - row.getBoundingClientRect().bottom;
  if (missing > 0) row.style.minHeight = `${row.offsetHeight + missing}px`;
}

function settle(list, before) {
  if (before.size === 0) return;
  list.classList.add("settling");
  setTimeout(() => list.classList.remove("settling"), SETTLE);
  if (calm.matches) return;
  for (const row of list.querySelectorAll(".place:not(.done)")) {
    const was = before.get(row.dataset.item);
    const is = row.getBoundingClientRect();
    const steps = was === undefined
      ? [{ opacity: 0, transform: "translateX(1.5rem)" }, { opacity: 1, transform: "none" }]
      : [{ transform: `translateY(${was.top - is.top}px)` }, { transform: "none" }];
    row.animate(steps, { duration: SETTLE, easing: "cubic-bezier(.2,.7,.2,1)" });
  }
}

// Where the keyboard goes on: the row at a place or, where that was acted upon, the nearest one below, else above.
function onward(list, rows, at) {
  const open = rows.filter((row) => !row.classList.contains("done"));
  return open[Math.min(at, open.length - 1)] ?? rows[0] ?? list;
}

// `done` is {place, feedback} for what was just acted upon, or null; `before` is where the rows stood then.
export function show(list, template, items, { scale, moves, done, before }) {
  const rows = [...list.children];
  const held = rows.findIndex((row) => row.contains(document.activeElement));
  const next = items.map((place) => draw(template, place, scale, moves.get(place.item_id) ?? 0));
  const at = done ? rows.findIndex((row) => row.dataset.item === done.place.item_id) : -1;
  if (at >= 0) next.splice(at, 0, drawDone(template, done));
  list.replaceChildren(...next);
  if (at >= 0) hold(next[at], before.get(done.place.item_id));
  settle(list, before);
  if (held >= 0) onward(list, next, at >= 0 ? at : held).focus({ preventScroll: true });
}
