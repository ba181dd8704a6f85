// A small picture for an item that has none: stripes whose colour is its first category, so that a list
// that changes its mind changes its colours.

const SVG = "http://www.w3.org/2000/svg";

function hash(text) {
  let value = 2166136261;
  for (const character of text) value = Math.imul(value ^ character.codePointAt(0), 16777619);
  return value >>> 0;
}

// Neighbouring hash values would be neighbouring hues; the golden angle spreads them.
const hueOf = (text) => (hash(text) % 997) * 137.508 % 360;

export function stripes(item) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 40 40");
  const [first, second] = item.categories;
  const hue = hueOf(first ?? item.item_id);
  const accent = hueOf(second ?? first ?? item.item_id);
  let bits = hash(item.item_id + item.title);
  for (let at = 0; at < 40; at += 5) {
    const bar = document.createElementNS(SVG, "rect");
    const depth = bits & 3;
    bits = (bits >>> 2) | ((bits & 3) << 30);
    bar.setAttribute("x", at);
    bar.setAttribute("width", 5.2);
    bar.setAttribute("height", 40);
    const shown = at === 25 ? accent : hue;
    bar.style.fill = `oklch(${0.48 + depth * 0.11} ${0.13 - depth * 0.02} ${shown.toFixed(0)})`;
    svg.append(bar);
  }
  return svg;
}
