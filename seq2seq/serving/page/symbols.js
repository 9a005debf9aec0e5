// An output as a line of symbols, coloured by probability. A symbol opens its alternatives; an alternative can be forced.

import {tint} from "./colours.js";
import {html, percent, visible} from "./dom.js";
import {words} from "./words.js";

export const SHOWN = 5; // alternatives in the list

/**
 * Builds the line of an explanation.
 * @param {object} explanation the answer of /explain.
 * @param {object} options `force(prefix, place)` is called with the text to force and the place of its last symbol, where given; `chosen(place)` when a symbol is chosen; the one at `looked` is at the beginning, where given.
 */
export function symbolLine(explanation, {force = null, chosen = () => {}, looked = null} = {}) {
  const line = html("p", {class: "symbols", dir: "auto", role: "group", "aria-label": words("output")});
  const frame = html("div", {class: "symbol-frame"}, line);
  const spans = explanation.symbols.map((entry, place) => symbolSpan(entry, place, spaced(explanation)));
  let list = null;

  const look = (place) => {
    for (const other of document.querySelectorAll(".symbol.looked")) other.classList.remove("looked");
    spans[place].classList.add("looked");
    chosen(place);
  };
  const close = () => {
    const opened = list;
    list = null; // first, since removing it takes the focus away, which closes it
    opened?.remove();
    for (const span of spans) span.setAttribute("aria-expanded", "false");
  };
  const open = (place) => {
    close();
    look(place);
    list = alternativesOf(explanation, place, force, () => {
      close();
      spans[place].focus();
    });
    spans[place].setAttribute("aria-expanded", "true");
    frame.append(list);
    const left = spans[place].getBoundingClientRect().left - frame.getBoundingClientRect().left;
    list.style.insetInlineStart = "auto";
    list.style.left = `${Math.max(0, Math.min(left, frame.clientWidth - list.offsetWidth))}px`;
    list.style.top = `${spans[place].getBoundingClientRect().bottom - frame.getBoundingClientRect().top + 4}px`;
  };
  const move = (place, step) => {
    spans[Math.max(0, Math.min(spans.length - 1, place + step))].focus();
  };
  spans.forEach((span, place) => {
    span.tabIndex = place === 0 ? 0 : -1;
    span.addEventListener("click", () => open(place));
    span.addEventListener("focus", () => {
      for (const other of spans) other.tabIndex = other === span ? 0 : -1; // Tab leaves the line, and comes back here
      close();
      look(place);
    });
    span.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && open(place));
    span.addEventListener("keydown", (event) => {
      const backwards = getComputedStyle(line).direction === "rtl" ? -1 : 1;
      if (event.key === "ArrowRight") move(place, backwards);
      else if (event.key === "ArrowLeft") move(place, -backwards);
      else if (event.key === "Home") move(0, 0);
      else if (event.key === "End") move(spans.length - 1, 0);
      else if (event.key === "Escape") close();
      else if (["Enter", " ", "ArrowDown"].includes(event.key)) {
        open(place);
        list.querySelector("button")?.focus();
      } else return;
      event.preventDefault();
    });
  });
  frame.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && !frame.contains(document.activeElement) && close());
  frame.addEventListener("focusout", (event) => !frame.contains(event.relatedTarget) && close());
  line.append(...spans);
  if (looked !== null && spans.length) look(looked);
  return frame;
}

/** Whether the symbols are longer than a character, as phonemes are, and so need space between them. */
const spaced = (explanation) => explanation.symbols.map((entry) => entry.symbol ?? "").join("") !== explanation.text;

function symbolSpan(entry, place, apart) {
  const label = words("alternatives", {place: place + 1, symbol: entry.symbol === null ? words("end") : entry.symbol, probability: percent(entry.probability)});
  const shown = entry.symbol === null ? visible(null) : entry.symbol === "\n" ? "⏎\n" : entry.symbol;
  const kind = `symbol${entry.forced ? " forced" : ""}${entry.symbol === null ? " end" : ""}${apart ? " apart" : ""}`;
  return html("span", {class: kind, role: "button", "aria-label": label, "aria-haspopup": "true", "aria-expanded": "false", title: entry.forced ? words("forced") : percent(entry.probability), style: entry.forced ? {} : tint(entry.probability)}, shown);
}

function alternativesOf(explanation, place, force, close) {
  const entry = explanation.symbols[place];
  const rows = entry.alternatives.slice(0, SHOWN).map((each) => {
    const bar = html("span", {class: "bar", style: {width: `${Math.max(1, 100 * each.probability)}%`}});
    const content = [html("span", {class: "sign", dir: "auto"}, visible(each.symbol)), html("span", {class: "track"}, bar), html("span", {class: "figure"}, percent(each.probability))];
    const possible = force && each.symbol !== null && each.symbol !== "";
    if (!possible) return html("li", {}, html("span", {class: "alternative"}, content));
    const label = words("force", {symbol: each.symbol, probability: percent(each.probability)});
    return html("li", {}, html("button", {type: "button", class: "alternative", "aria-label": label, onclick: () => force(prefixOf(explanation, place, each.symbol), place)}, content));
  });
  const list = html("ul", {class: "alternatives card"}, rows);
  list.addEventListener("keydown", (event) => {
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (event.key === "Escape") close();
    else if (step && buttons.length) buttons[(at + step + buttons.length) % buttons.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return list;
}

/** The text up to a place with another symbol there, written with the separator that the model's outputs have. */
function prefixOf(explanation, place, symbol) {
  const before = explanation.symbols.slice(0, place).map((entry) => entry.symbol);
  return [...before, symbol].join(spaced(explanation) ? " " : "");
}
