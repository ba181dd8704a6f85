// What the user did, newest first; on a narrow screen folded, so that the list is near.

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

const narrow = matchMedia("(max-width: 58rem)"); // one column, as in the style sheet

export function fold(details) {
  const settle = () => { details.open = !narrow.matches; };
  narrow.addEventListener("change", settle);
  settle();
}

export function extent({ events, total, more }) {
  if (total > events.length || more) return `latest ${events.length} of ${count(total, more, "")}`;
  return total ? count(total, more, "") : "";
}
