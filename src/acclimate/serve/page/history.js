// What the user did, newest first.

import { ago, count, deed } from "/page/words.js";
import { stripes } from "/page/stripes.js";

function draw(template, event) {
  const row = template.content.firstElementChild.cloneNode(true);
  const [mark, word] = deed(event);
  row.querySelector(".tile").append(stripes(event));
  row.querySelector(".name").textContent = event.title || event.item_id;
  row.querySelector(".when").textContent = `${word}, ${ago(event.timestamp)}`;
  row.querySelector(".mark").textContent = mark;
  row.classList.toggle("against", event.weight < 0);
  return row;
}

export function show(list, template, { events }) {
  list.replaceChildren(...events.map((event) => draw(template, event)));
}

export function extent({ events, total, more }) {
  if (total > events.length || more) return `latest ${events.length} of ${count(total, more, "")}`;
  return total ? count(total, more, "") : "";
}
