// The page: who you are, what you did, what is recommended, and what a click changes.

import * as api from "/page/api.js";
import * as historyView from "/page/history.js";
import * as keys from "/page/keys.js";
import * as listView from "/page/list.js";
import * as theme from "/page/theme.js";
import { nameOf, Picker } from "/page/people.js";
import { Scale } from "/page/scores.js";
import { compare, count, describe, shorten } from "/page/words.js";

const LENGTH = 10, HISTORY = 30, PEOPLE = 30;
const FEW = 30; // a history that can be taken in at a glance: whom the page opens on
const $ = (id) => document.getElementById(id);
const state = { user: null, answer: null, busy: false };
const leave = () => $("list").focus({ preventScroll: true });
const picker = new Picker($("user"), $("people"), $("people-note"), { find: people, choose: become, leave });

function complain(message) {
  $("problem").textContent = message;
  $("problem").hidden = !message;
}

async function people(text) {
  const { users, total } = await api.users(text ? { prefix: text, limit: PEOPLE } : { max_events: FEW, limit: PEOPLE });
  if (text) return { users, note: total ? `${count(total, false, "")} found` : "No user begins so" };
  const all = (await api.health()).users;
  return { users, note: `Some of ${count(all, false, all === 1 ? "user" : "users")}; type to search them all` };
}

async function somebody() {
  const { users } = await api.users({ max_events: FEW, limit: 1 });
  return users[0] ?? (await api.users({ limit: 1 })).users[0];
}

async function named(userId) {
  const { users } = await api.users({ prefix: userId, limit: 1 }); // the id itself comes first
  return users[0]?.user_id === userId ? users[0] : stranger(userId);
}

const stranger = (userId) => ({ user_id: userId, attributes: {} });

function showProvenance(answer) {
  $("snapshot").textContent = answer.snapshot ?? "none";
  $("policy").textContent = answer.policy;
  $("offset").textContent = answer.log_offset.toLocaleString("en");
  $("latency").textContent = `${answer.milliseconds.toFixed(1)} ms`;
  $("provenance").hidden = false;
  $("fallback").textContent = answer.fallback?.reason ?? "";
  $("fallback").hidden = !answer.fallback;
}

async function refresh(feedback = null, itemId = null) {
  const user = state.user;
  const place = state.answer?.items.find((item) => item.item_id === itemId);
  const [answer, past] = await Promise.all([api.recommend(user, LENGTH), api.history(user, HISTORY)]);
  if (user !== state.user) return; // somebody else was chosen meanwhile
  const moves = place ? compare(state.answer.items, answer.items) : new Map();
  state.answer = answer;
  const done = place ? { place, feedback } : null;
  const scale = new Scale(answer.items.map((item) => item.score));
  const before = listView.places($("list"));
  $("legend").textContent = scale.legend;
  $("change").textContent = describe(moves, feedback, place?.title || place?.item_id);
  showProvenance(answer);
  listView.show($("list"), $("place"), answer.items, { scale, moves, done, before });
  historyView.show($("history"), $("past"), past);
  $("history-count").textContent = historyView.extent(past);
  $("history-empty").hidden = past.events.length > 0;
  $("history").hidden = past.events.length === 0;
  $("profile").textContent = past.profile.words.slice(1).join("; ");
  $("profile").hidden = past.profile.words.length < 2;
  const { items } = await api.health();
  $("empty").hidden = items > 0;
  if (items === 0) $("add").open = true;
}

async function guarded(work) {
  if (state.busy) return;
  state.busy = true;
  document.body.classList.add("busy");
  try {
    await work();
    complain("");
  } catch (error) {
    complain(error.message);
  } finally {
    state.busy = false;
    document.body.classList.remove("busy");
  }
}

function become(user) {
  return guarded(async () => {
    state.user = user.user_id;
    state.answer = null;
    picker.show(nameOf(user));
    await refresh();
  });
}

function fresh() {
  return become(stranger(`visitor-${Math.random().toString(36).slice(2, 6)}`));
}

function give(itemId, feedback) {
  if (!state.answer?.items.some((item) => item.item_id === itemId)) return; // it was acted upon already
  return guarded(async () => {
    await api.send(state.user, itemId, feedback, state.answer.request_id);
    await refresh(feedback, itemId);
  });
}

function add(form) {
  const fields = new FormData(form);
  const title = fields.get("title").trim();
  const categories = fields.get("categories").split(",").map((name) => name.trim()).filter(Boolean);
  return guarded(async () => {
    const id = `${title.toLowerCase().replace(/\s+/g, "-")}-${Date.now().toString(36)}`;
    const { warnings } = await api.addItem({ item_id: id, title, categories, text: fields.get("text").trim() });
    form.reset();
    await refresh();
    $("change").textContent = warnings.length
      ? `${shorten(title)} is in the catalogue: ${warnings[0].message}`
      : `${shorten(title)} is in the catalogue and can be recommended`;
  });
}

async function untilReady() {
  for (;;) {
    try {
      return await api.health();
    } catch (error) {
      complain(error.message);
      if (error.status !== 503) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

async function start() {
  theme.start($("theme"));
  historyView.fold($("fold"));
  keys.listen($("list"), { give, fresh, find: () => $("user").focus() });
  $("fresh").addEventListener("click", fresh);
  $("list").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-feedback]");
    if (button) give(button.closest("li").dataset.item, button.dataset.feedback);
  });
  $("add-form").addEventListener("submit", (event) => {
    event.preventDefault();
    add(event.target);
  });
  try {
    await untilReady();
    const wanted = new URLSearchParams(location.search).get("user_id");
    const user = wanted ? await named(wanted) : await somebody();
    await (user ? become(user) : fresh());
  } catch (error) {
    complain(error.message);
  }
}

start();
