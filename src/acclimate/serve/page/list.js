// The list: drawn from a template, and moved from the old order to the new one so that the eye can follow.

import { badge, short } from "/page/words.js";
import { stripes } from "/page/stripes.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

function share(score, scores) {
  const known = scores.filter((value) => value !== null);
  const low = Math.min(...known), high = Math.max(...known);
  if (score === null) return 0;
  return high === low ? 1 : 0.12 + (0.88 * (score - low)) / (high - low);
}

function draw(template, place, scores, move) {
  const row = template.content.firstElementChild.cloneNode(true);
  const find = (selector) => row.querySelector(selector);
  const name = place.title || place.item_id;
  row.dataset.item = place.item_id;
  find(".rank").textContent = place.rank;
  find(".tile").append(stripes(place));
  find(".name").textContent = name;
  find(".categories").textContent = place.categories.join(" · ");
  find(".reason").textContent = place.reasons[0]?.text ?? "";
  find(".bar").setAttribute("aria-label", `Score ${short(place.score)}`);
  find(".bar span").style.width = `${100 * share(place.score, scores)}%`;
  find(".number").textContent = short(place.score);
  for (const button of row.querySelectorAll("button")) {
    button.setAttribute("aria-label", `${button.textContent.trim()}: ${name}`);
  }
  const mark = badge(move);
  find(".badge").textContent = mark;
  find(".badge").hidden = !mark;
  row.classList.toggle("is-new", move === "new");
  return row;
}

function tops(list) {
  return new Map([...list.children].map((row) => [row.dataset.item, row.getBoundingClientRect().top]));
}

function animate(list, before) {
  if (calm.matches || before.size === 0) return;
  for (const row of list.children) {
    const was = before.get(row.dataset.item);
    const is = row.getBoundingClientRect().top;
    const steps = was === undefined
      ? [{ opacity: 0, transform: "translateX(1.5rem)" }, { opacity: 1, transform: "none" }]
      : [{ transform: `translateY(${was - is}px)` }, { transform: "none" }];
    row.animate(steps, { duration: 420, easing: "cubic-bezier(.2,.7,.2,1)" });
  }
}

export function show(list, template, places, moves) {
  const before = tops(list);
  const held = [...list.children].findIndex((row) => row.contains(document.activeElement));
  const scores = places.map((place) => place.score);
  list.replaceChildren(...places.map((place) => draw(template, place, scores, moves.get(place.item_id) ?? 0)));
  animate(list, before);
  if (held >= 0 && list.children.length) {
    list.children[Math.min(held, list.children.length - 1)].focus({ preventScroll: true });
  }
}
