// The page: who you are, what you did, what is recommended, and what a click changes.

import * as api from "/page/api.js";
import * as historyView from "/page/history.js";
import * as keys from "/page/keys.js";
import * as listView from "/page/list.js";
import * as theme from "/page/theme.js";
import { compare, describe } from "/page/words.js";

const LENGTH = 10, HISTORY = 30, USERS = 50;
const $ = (id) => document.getElementById(id);
const state = { user: null, answer: null, busy: false };

function complain(message) {
  $("problem").textContent = message;
  $("problem").hidden = !message;
}

function option(value, text) {
  return Object.assign(document.createElement("option"), { value, textContent: text });
}

async function fillUsers() {
  const { users } = await api.users(USERS);
  $("user").replaceChildren(...users.map(({ user_id, attributes, events }) => {
    const name = typeof attributes.name === "string" ? attributes.name : user_id;
    return option(user_id, `${name} (${events})`);
  }));
  return users.map((user) => user.user_id);
}

function showProvenance(answer) {
  $("snapshot").textContent = answer.snapshot ?? "none";
  $("policy").textContent = answer.policy;
  $("offset").textContent = answer.log_offset.toLocaleString("en");
  $("latency").textContent = `${answer.milliseconds.toFixed(1)} ms`;
  $("provenance").hidden = false;
  $("fallback").textContent = answer.fallback?.reason ?? "";
  $("fallback").hidden = !answer.fallback;
}

async function refresh(feedback = null, title = "") {
  const user = state.user;
  const [answer, past] = await Promise.all([api.recommend(user, LENGTH), api.history(user, HISTORY)]);
  if (user !== state.user) return; // somebody else was chosen meanwhile
  const moves = feedback ? compare(state.answer?.items ?? [], answer.items) : new Map();
  state.answer = answer;
  listView.show($("list"), $("place"), answer.items, moves);
  historyView.show($("history"), $("past"), past.events);
  $("history-count").textContent = past.events.length || "";
  $("history-empty").hidden = past.events.length > 0;
  $("change").textContent = describe(moves, feedback, title);
  showProvenance(answer);
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
    state.user = user;
    state.answer = null;
    if (![...$("user").options].some((choice) => choice.value === user)) {
      $("user").prepend(option(user, user));
    }
    $("user").value = user;
    await refresh();
  });
}

function fresh() {
  return become(`visitor-${Math.random().toString(36).slice(2, 6)}`);
}

function give(itemId, feedback) {
  const place = state.answer?.items.find((item) => item.item_id === itemId);
  if (!place) return;
  return guarded(async () => {
    await api.send(state.user, itemId, feedback, state.answer.request_id);
    await refresh(feedback, place.title || place.item_id);
  });
}

function add(form) {
  const fields = new FormData(form);
  const title = fields.get("title").trim();
  const categories = fields.get("categories").split(",").map((name) => name.trim()).filter(Boolean);
  return guarded(async () => {
    const id = `${title.toLowerCase().replace(/\s+/g, "-")}-${Date.now().toString(36)}`;
    await api.addItem({ item_id: id, title, categories, text: fields.get("text").trim() });
    form.reset();
    await refresh();
    $("change").textContent = `${title} is in the catalogue and can be recommended`;
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
  keys.listen($("list"), { give, fresh });
  $("fresh").addEventListener("click", fresh);
  $("user").addEventListener("change", () => become($("user").value));
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
    const known = await fillUsers();
    const wanted = new URLSearchParams(location.search).get("user_id");
    await (wanted ? become(wanted) : known.length ? become(known[0]) : fresh());
  } catch (error) {
    complain(error.message);
  }
}

start();
