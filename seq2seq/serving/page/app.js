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
const THEMES = ["auto", "dark", "light"];

const page = {models: [], model: null, doctor: false, open: null, shown: null, draw: () => {}};

/** What a view is given: the chosen model, and how to tell the user that something failed. */
const context = {
  get model() {
    return page.model;
  },
  fail: (error) => showProblem(error instanceof ServiceError ? error.message : error ? words("failed", {reason: error.message}) : null),
};

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
    drawTabs();
    open(page.open);
  };
  window.addEventListener("hashchange", () => {
    const name = location.hash.slice(1);
    if (available().includes(name) && name !== page.open) open(name);
  });
}

const available = () => Object.keys(VIEWS).filter((name) => name !== "doctor" || page.doctor);

function drawModels() {
  const choice = document.getElementById("model");
  choice.replaceChildren(...page.models.map((model, index) => html("option", {value: index}, model.id)));
  page.model = page.models[0] ?? null;
  choice.addEventListener("change", () => {
    page.model = page.models[Number(choice.value)];
    const writes = page.model.kind === "language model";
    const misplaced = writes ? ["translate", "compare"] : ["write"];
    open(misplaced.includes(page.open) ? (writes ? "write" : "translate") : page.open);
  });
}

function drawTabs() {
  const names = available();
  const tabs = names.map((name) =>
    html("button", {type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => open(name)}, words(name)),
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
