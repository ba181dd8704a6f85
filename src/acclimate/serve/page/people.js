// Who the page is for: a search over all users, which the service does. Arrows, Enter and Escape work as in
// any combobox; the last two also leave the field, so that the keys of the list work at once.

import { count } from "/page/words.js";

const PAUSE = 120; // milliseconds after a key, so that a typed word is one question

export const nameOf = ({ user_id, attributes }) =>
  typeof attributes.name === "string" && attributes.name ? attributes.name : user_id;

function draw(user, at) {
  const option = document.createElement("li");
  const name = document.createElement("span");
  const about = document.createElement("small");
  option.id = `person-${at}`;
  option.role = "option";
  option.dataset.user = user.user_id;
  name.textContent = nameOf(user);
  about.textContent = count(user.events, user.more, user.events === 1 && !user.more ? "event" : "events");
  option.append(name, about);
  return option;
}

export class Picker {
  // `find(text)` promises {users, note}; `choose(user)` hears who was picked; `leave()` puts the focus elsewhere.
  constructor(input, list, note, { find, choose, leave }) {
    Object.assign(this, { input, list, note, find, choose, leave, users: [], at: -1, asked: 0, shown: "" });
    Object.assign(this, { typed: "", found: "" }); // what is searched for, and what `users` are the answer to
    input.addEventListener("focus", () => { input.select(); this.search(this.typed = ""); });
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("input", () => {
      clearTimeout(this.waiting);
      this.typed = input.value.trim();
      this.waiting = setTimeout(() => this.search(this.typed), PAUSE);
    });
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.pick([...list.children].indexOf(option));
    });
  }

  show(name) {
    this.shown = this.input.value = name;
  }

  // Promises whether `users` are those of `text` now; not if something else was asked meanwhile.
  async search(text) {
    clearTimeout(this.waiting);
    const asked = ++this.asked;
    let users, note;
    try {
      ({ users, note } = await this.find(text));
    } catch (error) {
      [users, note] = [[], error.message];
    }
    if (asked !== this.asked || document.activeElement !== this.input) return false;
    [this.users, this.found] = [users, text];
    this.list.replaceChildren(...users.map(draw));
    this.note.textContent = note;
    this.open(true);
    this.mark(text && users.length ? 0 : -1);
    return true;
  }

  open(open) {
    this.input.setAttribute("aria-expanded", String(open));
    this.list.parentElement.hidden = !open;
  }

  mark(at) {
    this.at = at;
    [...this.list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === at)));
    const option = this.list.children[at];
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (event.isComposing) return; // Enter ends a word of an input method
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.users.length) {
      this.open(true);
      this.mark((this.at + step + this.users.length) % this.users.length);
    } else if (event.key === "Enter") {
      this.enter();
    } else if (event.key === "Escape") {
      this.go();
    } else {
      return;
    }
    event.preventDefault();
  }

  async enter() {
    const current = this.typed === this.found || await this.search(this.typed); // typed faster than searched
    if (current && this.at >= 0) this.pick(this.at);
  }

  pick(at) {
    const user = this.users[at];
    this.show(nameOf(user));
    this.go();
    this.choose(user);
  }

  go() {
    this.close();
    this.input.blur(); // an empty list takes no focus
    this.leave();
  }

  close() {
    clearTimeout(this.waiting);
    this.asked += 1; // what is still on its way comes too late
    this.input.value = this.shown;
    this.mark(-1);
    this.open(false);
  }
}
