// Starts the page: models, views as tabs, language and theme.

import {get, hasKey, ServiceError, setKey} from "./api.js";
import {html, showProblem} from "./dom.js";
import {currentLanguage, setLanguage, translateFixed, words} from "./words.js";
import {compareView} from "./compare.js";
import {doctorView} from "./doctor.js";
import {runsView} from "./runs.js";
import {translateView} from "./translate.js";
import {writeView} from "./write.js";

const VIEWS = {translate: translateView, compare: compareView, write: writeView, runs: runsView, doctor: doctorView};
const KINDS = ["translator", "transducer", "language model"];
const THEMES = ["auto", "dark", "light"];

const writes = (model) => model.kind === "language model";
const SUITS = {translate: (model) => !writes(model), compare: (model) => !writes(model), write: writes};
/** Names of the service's fields in the page's words. */
const FIELDS = {q: "source", max_tokens: "length", beam_size: "beamSize", prompt: "prompt", temperature: "temperature", seed: "seed"};

const page = {models: [], model: null, recent: [], doctor: false, views: null, open: null, shown: null, draw: () => {}};

/** What a view is given: the chosen model, the source that was typed, and how to tell the user that something failed. */
const context = {
  typed: {text: ""},
  get model() {
    return page.model;
  },
  fail: (error) => showProblem(error instanceof ServiceError ? inWords(error.message) : error ? words("failed", {reason: error.message}) : null),
};

/** The service's message with the page's name for the field that it begins with. */
const inWords = (message) => message.replace(/^(\w+)(?=: )/, (field) => (FIELDS[field] ? words(FIELDS[field]) : field));

async function start() {
  translateFixed();
  setTheme(localStorage.getItem("theme") ?? "auto");
  document.getElementById("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));
  document.getElementById("language").addEventListener("click", () => {
    setLanguage(currentLanguage() === "zh" ? "en" : "zh");
    setTheme(document.documentElement.dataset.theme);
    page.draw();
  });
  try {
    const described = await get("models");
    page.models = described.models;
    page.doctor = described.doctor;
    page.views = described.views; // a page without a service has fewer
  } catch (error) {
    if ([401, 403].includes(error.status)) askForKey();
    else context.fail(error);
    return;
  }
  if (!page.models.length) showProblem(words("noModels"));
  drawModels();
  drawTabs();
  const wanted = location.hash.slice(1);
  const first = page.model?.kind === "language model" ? "write" : "translate";
  open(available().includes(wanted) ? wanted : first);
  page.draw = () => {
    drawKinds();
    drawTabs();
    open(page.open);
  };
  window.addEventListener("hashchange", () => {
    const name = location.hash.slice(1);
    if (available().includes(name) && name !== page.open) open(name);
  });
}

const available = () => page.views ?? Object.keys(VIEWS).filter((name) => name !== "doctor" || page.doctor);

function drawModels() {
  const choice = document.getElementById("model");
  page.model ??= page.models[0] ?? null;
  drawKinds();
  choice.addEventListener("change", () => {
    choose(page.models[Number(choice.value)]);
    const suits = SUITS[page.open]?.(page.model) ?? true;
    open(suits ? page.open : writes(page.model) ? "write" : "translate");
  });
}

function drawKinds() {
  const option = (model) => html("option", {value: page.models.indexOf(model), selected: model === page.model}, model.id);
  const groups = KINDS.map((kind) => html("optgroup", {label: words(kind)}, page.models.filter((model) => model.kind === kind).map(option)));
  document.getElementById("model").replaceChildren(...groups.filter((group) => group.children.length));
}

function choose(model) {
  page.model = model;
  page.recent.unshift(model);
  document.getElementById("model").value = page.models.indexOf(model);
}

/** A view that needs another kind of model takes the one of that kind that was used last, if the service has one. */
function suit(name) {
  const suits = SUITS[name];
  if (!page.model || !suits || suits(page.model)) return;
  const other = [...page.recent, ...page.models].find(suits);
  if (other) choose(other);
}

function drawTabs() {
  const names = available();
  const tabs = names.map((name) =>
    html("button", {type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, "data-label": words(name), onclick: () => open(name)}, words(name)),
  );
  const list = document.getElementById("tabs");
  list.replaceChildren(...tabs);
  list.onkeydown = (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    const next = names[(names.indexOf(page.open) + step + names.length) % names.length];
    open(next);
    document.getElementById(`tab-${next}`).focus();
  };
}

function open(name) {
  page.shown?.close?.();
  page.open = name;
  suit(name);
  history.replaceState(null, "", `#${name}`);
  showProblem(null);
  for (const each of Object.keys(VIEWS)) {
    const panel = document.getElementById(`panel-${each}`);
    panel.hidden = each !== name;
    const tab = document.getElementById(`tab-${each}`);
    tab?.setAttribute("aria-selected", each === name);
    tab?.setAttribute("tabindex", each === name ? 0 : -1);
    if (each !== name) panel.replaceChildren();
  }
  page.shown = VIEWS[name](document.getElementById(`panel-${name}`), context);
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
  document.getElementById("theme").textContent = words(`theme-${name}`);
}

function askForKey() {
  page.draw = askForKey;
  showProblem(words(hasKey() ? "wrongKey" : "needKey"));
  const field = html("input", {id: "api-key", type: "password", autocomplete: "off"});
  const form = html("form", {class: "card row"}, html("label", {for: "api-key"}, words("apiKey")), field, html("button", {}, words("useKey")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!/^[ -~\u00a0-\u00ff]+$/.test(field.value)) return showProblem(words("wrongKey")); // no header can hold another
    setKey(field.value);
    location.reload();
  });
  document.querySelector("#main form")?.remove();
  document.getElementById("main").append(form);
  field.focus();
}

start();
