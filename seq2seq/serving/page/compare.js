// One source decoded by several strategies side by side: greedy, a beam with its tree, several temperatures with one seed.

import {post} from "./api.js";
import {distributionPanel} from "./distribution.js";
import {html, nats, whenPaused} from "./dom.js";
import {SHOWN, symbolLine} from "./symbols.js";
import {treeOf} from "./tree.js";
import {words} from "./words.js";

const kept = {beam: 4, seed: 1, temperatures: "0.4 0.7 1.0 1.4"};

export function compareView(panel, context) {
  if (context.model?.kind === "language model") {
    panel.replaceChildren(html("p", {class: "card"}, words("needTranslator")));
    return {};
  }
  const text = html("textarea", {id: "compared", rows: 2, dir: "auto", placeholder: words("example"), spellcheck: "false"});
  text.value = context.typed.text;
  const beam = html("input", {id: "beam", type: "number", min: 2, max: 20, value: kept.beam});
  const seed = html("input", {id: "seed", type: "number", min: 0, value: kept.seed});
  const temperatures = html("input", {id: "temperatures", value: kept.temperatures, inputmode: "decimal"});
  const columns = html("div", {class: "strategies"});
  const about = html("p", {class: "quiet"}, words("compareHint"));
  const tree = html("div", {class: "card", hidden: true});
  const distribution = distributionPanel(context);
  distribution.element.hidden = true;

  const draw = async () => {
    context.typed.text = text.value;
    Object.assign(kept, {beam: Number(beam.value), seed: Number(seed.value), temperatures: temperatures.value});
    const source = text.value.replace(/\s*\n\s*/g, " ").trim();
    const asked = source ? strategies() : [];
    about.hidden = Boolean(source);
    columns.replaceChildren(...asked.map(({title}) => html("section", {class: "card"}, html("h2", {}, title))));
    distribution.element.hidden = !source;
    tree.hidden = !source || !tree.children.length;
    let failed = null;
    await Promise.all(asked.map(async ({options}, index) => {
      try {
        const question = {model: context.model.id, q: source, alternatives: SHOWN, attention: "peaks", ...options};
        const found = await post("explain", question, `compare-${index}`);
        if (!found) return;
        const facts = html("p", {class: "quiet"}, words("symbols", {count: found.symbols.length}), " · ", words("nats", {score: nats(found.score)}));
        columns.children[index]?.append(symbolLine(found, {looked: index === 0 ? 0 : null, chosen: (place) => distribution.show(found, place, question)}), facts);
        if (!found.tree) return; // a page without a service has none
        tree.replaceChildren(treeOf(found));
        tree.hidden = false;
      } catch (error) {
        failed = error;
      }
    }));
    context.fail(failed);
  };

  const strategies = () => [
    {title: words("greedy"), options: {}},
    {title: words("beam", {size: beam.value}), options: {beam_size: Number(beam.value), tree: true}},
    ...temperatures.value.split(/[\s,;]+/).map(Number).filter((each) => each > 0).slice(0, 8)
      .map((temperature) => ({title: words("sampled", {temperature}), options: {temperature, seed: Number(seed.value)}})),
  ];
  const soon = whenPaused(draw, 120);
  for (const field of [text, beam, seed, temperatures]) field.addEventListener("input", soon);
  const labelled = (field, name) => html("div", {class: "field"}, html("label", {for: field.id}, words(name)), field);
  panel.replaceChildren(
    html("div", {class: "stack"}, html("label", {for: "compared"}, words("source")), text),
    html("div", {class: "row"}, labelled(beam, "beamSize"), labelled(seed, "seed"), labelled(temperatures, "temperatures")),
    about,
    columns,
    html("div", {class: "columns"}, tree, distribution.element),
  );
  draw();
  return {};
}
