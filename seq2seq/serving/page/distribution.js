// The distribution of the next symbol as bars, reshaped by a temperature: p^(1/T) / Z.

import {post} from "./api.js";
import {html, percent, visible, whenPaused} from "./dom.js";
import {words} from "./words.js";

const SHOWN = 10;
const ALL = 500; // alternatives: more than most vocabularies have, so that the slider can compute Z

/** Reweights probabilities: p^(1/T) / Z; T = 0 leaves the most probable one. */
export function reshaped(probabilities, temperature) {
  const largest = Math.max(...probabilities);
  if (temperature <= 0) {
    const best = probabilities.indexOf(largest);
    return probabilities.map((_, place) => (place === best ? 1 : 0));
  }
  const raised = probabilities.map((each) => Math.exp(Math.log(Math.max(each, 1e-300) / largest) / temperature));
  const total = raised.reduce((sum, each) => sum + each, 0);
  return raised.map((each) => each / total);
}

/** Builds the panel; `show(explanation, place, asked)` draws the distribution at a place of what `asked` was answered. */
export function distributionPanel(context) {
  const value = html("output", {for: "temperature"}, "1.00");
  const slider = html("input", {id: "temperature", type: "range", min: 0.1, max: 2, step: 0.05, value: 1});
  const heading = html("p", {class: "quiet", dir: "auto"});
  const bars = html("ol", {class: "bars"});
  let shown = null, wanted = null;
  const draw = () => {
    const temperature = Number(slider.value);
    value.textContent = temperature.toFixed(2);
    if (!shown) return;
    const [explanation, place] = shown;
    const entry = explanation.symbols[place];
    const written = explanation.symbols.slice(0, place).map((each) => each.symbol ?? "").join("");
    heading.textContent = written ? words("after", {text: written.slice(-40)}) : words("atStart");
    const after = reshaped(entry.alternatives.map((each) => each.probability), temperature);
    const rows = entry.alternatives.slice(0, SHOWN).map((each, index) => row(visible(each.symbol), after[index], each.probability, each.symbol === entry.symbol));
    const rest = entry.alternatives.length - SHOWN;
    if (rest > 0) rows.push(row(words("others", {count: rest}), sum(after.slice(SHOWN)), sum(entry.alternatives.slice(SHOWN).map((each) => each.probability)), false));
    bars.replaceChildren(...rows);
  };
  slider.addEventListener("input", draw);
  const element = html("section", {class: "card stack distribution", "aria-label": words("distribution")}, html("h2", {}, words("distribution")), heading, html("div", {class: "row"}, html("label", {for: "temperature"}, words("temperature")), slider, value), bars, html("p", {class: "quiet"}, words("temperatureHint")));
  const arrived = () => {
    shown = wanted;
    element.setAttribute("aria-busy", "false");
    draw();
  };
  const look = whenPaused(async () => {
    const [explanation, place, asked] = wanted;
    try {
      const found = await post("explain", {...asked, alternatives: ALL, place}, "place");
      if (!found || wanted[0] !== explanation || wanted[1] !== place) return;
      explanation.symbols[place] = {...found.symbols[place], whole: true};
      arrived();
    } catch (error) {
      context.fail(error);
    }
  }, 60);
  return {
    element,
    show(explanation, place, asked) {
      const entry = explanation.symbols[place];
      if (!entry) return;
      wanted = [explanation, place, asked];
      element.setAttribute("aria-busy", "true");
      if (entry.whole) arrived();
      else look();
    },
  };
}

const sum = (values) => values.reduce((total, each) => total + each, 0);

function row(label, reweighted, own, chosen) {
  const bar = html("span", {class: "bar", style: {width: `${100 * reweighted}%`}});
  const mark = html("span", {class: "own", style: {left: `${100 * own}%`}});
  return html("li", {class: chosen ? "chosen" : null, "aria-label": words("bar", {symbol: label, probability: percent(reweighted)})}, html("span", {class: "sign", dir: "auto"}, label), html("span", {class: "track"}, bar, mark), html("span", {class: "figure"}, percent(reweighted)));
}
