// A language model writes; what it quotes from its training text is marked at the end.

import {post, stream} from "./api.js";
import {html, say} from "./dom.js";
import {words} from "./words.js";

const kept = {prompt: "", length: 400, temperature: 0.7, seed: 1};

export function writeView(panel, context) {
  if (context.model?.kind !== "language model") {
    panel.replaceChildren(html("p", {class: "card"}, words("needLanguage")));
    return {};
  }
  const prompt = html("textarea", {id: "prompt", rows: 2, dir: "auto", placeholder: words("promptHint"), spellcheck: "false"});
  prompt.value = kept.prompt;
  const length = html("input", {id: "length", type: "number", required: true, min: 1, max: 5000, value: kept.length});
  const temperature = html("input", {id: "heat", type: "number", required: true, min: 0, max: 3, step: 0.1, value: kept.temperature});
  const seed = html("input", {id: "write-seed", type: "number", required: true, min: 0, value: kept.seed});
  const text = html("div", {class: "written card", dir: "auto", role: "group", "aria-label": words("written")});
  const facts = html("p", {class: "quiet"});
  const button = html("button", {class: "main"}, words("start"));
  let control = null;

  const write = async () => {
    Object.assign(kept, {prompt: prompt.value, length: Number(length.value), temperature: Number(temperature.value), seed: Number(seed.value)});
    const begun = html("span", {class: "quiet"}, prompt.value);
    const written = html("span");
    text.replaceChildren(begun, written);
    facts.textContent = "";
    control = new AbortController();
    button.textContent = words("stop");
    try {
      const asked = {model: context.model.id, prompt: prompt.value, max_tokens: kept.length, temperature: kept.temperature, seed: kept.seed, stream: true};
      for await (const event of stream("v1/completions", asked, control.signal)) written.append(event.choices[0]?.text ?? "");
      context.fail(null);
      say(written.textContent);
      await mark(written);
    } catch (error) {
      if (error.name !== "AbortError") context.fail(error);
    } finally {
      control = null;
      button.textContent = words("start");
    }
  };
  const mark = async (written) => {
    try {
      const {spans} = await post("novelty", {model: context.model.id, text: written.textContent});
      const whole = [...written.textContent];
      const parts = [];
      let at = 0;
      for (const [begin, end] of spans) {
        parts.push(whole.slice(at, begin).join(""), html("mark", {}, whole.slice(begin, end).join("")));
        at = end;
      }
      written.replaceChildren(...parts, whole.slice(at).join(""));
      facts.textContent = words(spans.length ? "novelty" : "allNew");
    } catch {
      facts.textContent = words("noNovelty");
    }
  };
  const form = html("form", {class: "row"}, ...[[length, "length"], [temperature, "temperature"], [seed, "seed"]].map(([field, name]) => html("div", {class: "field"}, html("label", {for: field.id}, words(name)), field)), button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (control) control.abort();
    else write();
  });
  panel.replaceChildren(html("div", {class: "stack"}, html("label", {for: "prompt"}, words("prompt")), prompt), form, text, facts);
  return {close: () => control?.abort()};
}
