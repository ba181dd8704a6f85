// Puts into words what was done, what changed between two lists, and when something was.

const LONGEST = 80; // characters of a title in a message

export function shorten(text) {
  const letters = [...text];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join("").trimEnd()}…` : text;
}

// How far each item moved among those of both lists, above 0 for up, or "new". What left or came in between
// moves nobody.
export function compare(before, after) {
  const listed = new Set(after.map((place) => place.item_id));
  const stayed = before.map((place) => place.item_id).filter((id) => listed.has(id));
  const old = new Map(stayed.map((id, index) => [id, index]));
  let index = 0;
  return new Map(after.map(({ item_id: id }) => [id, old.has(id) ? old.get(id) - index++ : "new"]));
}

const VERBS = { like: "liked", dislike: "said no to" };

export function describe(moves, feedback, title) {
  const values = [...moves.values()];
  const counts = [
    [values.filter((move) => move === "new").length, "new"],
    [values.filter((move) => move > 0).length, "moved up"],
    [values.filter((move) => move < 0).length, "moved down"],
  ];
  const parts = counts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`);
  const why = feedback ? `because you ${VERBS[feedback]} ${shorten(title)}` : "";
  if (parts.length === 0) return feedback ? `The order stays, ${why}` : "";
  return why ? `${parts.join(", ")}: ${why}` : parts.join(", ");
}

export function badge(move) {
  if (move === "new") return "new";
  if (move > 0) return `↑ ${move}`;
  if (move < 0) return `↓ ${-move}`;
  return "";
}

const DONE = {
  view: ["", "viewed"],
  click: ["", "clicked"],
  like: ["♥", "liked"],
  add_to_cart: ["", "added to cart"],
  purchase: ["", "bought"],
  dislike: ["✕", "not for me"],
};

// A mark and a word for an event of a history. A table that names no types holds ratings, or bare choices.
export function deed({ event_type: type, value, weight }) {
  if (value !== null && (type ?? "rating") === "rating") {
    return ["", `rated ${value.toLocaleString("en", { maximumFractionDigits: 2 })}`];
  }
  return DONE[type] ?? (weight < 0 ? DONE.dislike : ["", "chosen"]);
}

export function count(number, more, word) {
  return `${number.toLocaleString("en")}${more ? "+" : ""} ${word}`.trim();
}

const UNITS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(seconds, now = Date.now() / 1000) {
  const past = seconds - now;
  for (const [unit, length] of UNITS) {
    if (Math.abs(past) >= length) return relative.format(Math.trunc(past / length), unit);
  }
  return "just now";
}
