// Puts into words what was done, what changed between two lists, and when something was.

export function compare(before, after) {
  const old = new Map(before.map((place, index) => [place.item_id, index]));
  const moves = new Map();
  after.forEach((place, index) => {
    const was = old.get(place.item_id);
    moves.set(place.item_id, was === undefined ? "new" : was - index);
  });
  return moves;
}

const VERBS = { like: "liked", dislike: "said no to" };

export function describe(moves, feedback, title) {
  const values = [...moves.values()];
  // What left the list lifts everything below it by one; only a real climb is worth a word.
  const counts = [
    [values.filter((move) => move === "new").length, "new"],
    [values.filter((move) => move > 1).length, "moved up"],
    [values.filter((move) => move < 0).length, "moved down"],
  ];
  const parts = counts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`);
  const why = feedback ? `because you ${VERBS[feedback]} ${title}` : "";
  if (parts.length === 0) return feedback ? `The order stays, ${why}` : "";
  return why ? `${parts.join(", ")}: ${why}` : parts.join(", ");
}

export function badge(move) {
  if (move === "new") return "new";
  if (move > 1) return `↑ ${move}`;
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
