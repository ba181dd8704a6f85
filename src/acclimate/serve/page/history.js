// What the user did, newest first.

import { ago } from "/page/words.js";
import { stripes } from "/page/stripes.js";

function meaning(weight) {
  if (weight < 0) return ["✕", "not for me"];
  return weight > 0 ? ["♥", "liked"] : ["·", "seen"];
}

function draw(template, event) {
  const row = template.content.firstElementChild.cloneNode(true);
  const [mark, word] = meaning(event.weight);
  row.querySelector(".tile").append(stripes(event));
  row.querySelector(".name").textContent = event.title || event.item_id;
  row.querySelector(".when").textContent = `${word}, ${ago(event.timestamp)}`;
  row.querySelector(".mark").textContent = mark;
  row.dataset.meaning = word;
  return row;
}

export function show(list, template, events) {
  list.replaceChildren(...events.map((event) => draw(template, event)));
}
