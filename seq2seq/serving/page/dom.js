// Small helpers to build elements; text is always set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Returns an HTML element with attributes (`onclick` and the like are listeners) and children. */
export const html = (name, properties = {}, ...children) => fill(document.createElement(name), properties, children);

/** Returns an SVG element with attributes and children. */
export const svg = (name, properties = {}, ...children) => fill(document.createElementNS(SVG, name), properties, children);

/** Tells a screen reader something, politely. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Shows an error in the line at the top; null hides it. */
export function showProblem(text) {
  const line = document.getElementById("problem");
  line.hidden = !text;
  line.textContent = text ?? "";
}

/** Returns a function that runs `task` once its calls have paused for some milliseconds. */
export function whenPaused(task, milliseconds) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(task, milliseconds);
  };
}

/** A symbol as it is shown: END and what cannot be seen get a sign. */
export function visible(symbol) {
  if (symbol === null || symbol === "<END>") return "END";
  if (symbol === "") return "∅";
  if (/^\p{M}+$/u.test(symbol)) return `◌${symbol}`;
  return symbol === " " ? "␣" : symbol === "\n" ? "⏎" : symbol === "\t" ? "⇥" : symbol.trim() === "" ? "␣" : symbol;
}

/** A log-probability in nats as text. */
export const nats = (value) => (Math.abs(value) < 0.005 ? "0.00" : value.toFixed(2).replace("-", "−"));

/** About how many pixels a label takes at 13 pixels a letter; combining marks take none. */
export const widthOf = (label) => [...label.replace(/\p{M}/gu, "")].reduce((sum, each) => sum + (/[\u1100-\uffdc]/.test(each) ? 13 : 7.5), 0);

/** A probability as text. */
export const percent = (value) => (value >= 0.9995 ? "100 %" : value < 0.001 ? "< 0.1 %" : `${(100 * value).toPrecision(value < 0.01 ? 1 : value < 0.1 ? 2 : 3)} %`);
