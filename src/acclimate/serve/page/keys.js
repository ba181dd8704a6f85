// The page from the keyboard. Keys that a field needs for typing stay the field's.

const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
const FEEDBACK = { l: "like", d: "dislike" };

export function listen(list, { give, fresh, find }) {
  const plain = { n: fresh, "/": find };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    if (event.key.startsWith("Arrow") && event.target.closest("[tabindex='0']")) return; // it scrolls
    const rows = [...list.querySelectorAll(".place:not(.done)")];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    if (event.key in STEPS && rows.length) {
      const next = at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + STEPS[event.key]));
      rows[next].focus();
    } else if (event.key in FEEDBACK && at >= 0) {
      if (!event.repeat) give(rows[at].dataset.item, FEEDBACK[event.key]); // the next row has the focus then
    } else if (event.key in plain) {
      plain[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });
}
