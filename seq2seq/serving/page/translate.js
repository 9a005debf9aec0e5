// Translates while the user types: symbols, alternatives, forced symbols, the map, the next symbol's distribution.

import {post} from "./api.js";
import {distributionPanel} from "./distribution.js";
import {html, nats, say, whenPaused} from "./dom.js";
import {mapOf} from "./heatmap.js";
import {SHOWN, symbolLine} from "./symbols.js";
import {words} from "./words.js";

export function translateView(panel, context) {
  if (context.model?.kind === "language model") {
    panel.replaceChildren(html("p", {class: "card"}, words("needTranslator")));
    return {};
  }
  let prefix = "";
  const field = html("textarea", {id: "source", rows: 2, dir: "auto", placeholder: words("example"), spellcheck: "false"});
  field.value = context.typed.text;
  const count = html("span", {class: "quiet"});
  const examples = html("div", {class: "row"}, (context.model?.examples ?? []).map((text) => html("button", {type: "button", class: "example", dir: "auto", onclick: () => use(text)}, text)));
  if (examples.children.length) examples.prepend(html("span", {class: "quiet"}, words("try")));
  const output = html("div", {class: "output card"});
  const release = html("button", {type: "button", hidden: true}, words("release"));
  const facts = html("p", {class: "quiet"});
  const map = html("div", {class: "card"});
  const distribution = distributionPanel(context);
  map.hidden = distribution.element.hidden = true;

  const show = (found, asked, milliseconds, focused) => {
    const force = (text, place) => {
      prefix = text;
      translate(place);
    };
    const looked = found.symbols.reduce((worst, each, place) => (!each.forced && each.probability < found.symbols[worst].probability ? place : worst), 0);
    output.replaceChildren(symbolLine(found, {force, looked, chosen: (place) => distribution.show(found, place, asked)}));
    facts.textContent = words("score", {score: nats(found.score), time: Math.round(milliseconds)}) + (found.finished ? "" : ` ${words("cut-off")}`);
    map.replaceChildren(mapOf(found));
    map.hidden = distribution.element.hidden = false;
    release.hidden = !prefix;
    say(words("translated", {text: found.text}));
    if (focused !== null) output.querySelectorAll(".symbol")[focused]?.focus(); // the symbol that was forced
  };
  const clear = () => {
    output.replaceChildren(html("p", {class: "quiet"}, words("outputHere")));
    facts.textContent = "";
    map.hidden = distribution.element.hidden = release.hidden = true;
  };
  const translate = async (focused = null) => {
    context.typed.text = field.value;
    const text = field.value.replace(/\s*\n\s*/g, " ").trim();
    count.textContent = words("symbols", {count: [...text].length});
    if (!text || !context.model) return clear();
    const asked = {model: context.model.id, q: text, prefix, alternatives: SHOWN, attention: "peaks"};
    const began = performance.now();
    output.setAttribute("aria-busy", "true");
    try {
      const found = await post("explain", asked);
      if (!found) return;
      context.fail(null);
      show(found, asked, performance.now() - began, focused);
    } catch (error) {
      clear(); // the output of another text would be taken for this one's
      context.fail(error);
    }
    output.removeAttribute("aria-busy");
  };
  const use = (text) => {
    field.value = text;
    prefix = "";
    translate();
  };
  const soon = whenPaused(() => translate(), 60);
  field.addEventListener("input", () => {
    prefix = "";
    soon();
  });
  release.addEventListener("click", () => {
    prefix = "";
    translate(0); // the button goes, and would take the focus with it
  });
  panel.replaceChildren(
    html("div", {class: "columns"},
      html("div", {class: "stack"},
        html("div", {class: "row spread"}, html("label", {for: "source"}, words("source")), count), field, examples),
      html("div", {class: "stack"}, html("div", {class: "row spread"}, html("h2", {}, words("output")), release), output, facts)),
    html("p", {class: "quiet"}, words("hint")),
    html("div", {class: "columns"}, map, distribution.element),
  );
  translate();
  return {};
}
