// Line charts and bars as SVG, without a library.

import {html, svg} from "./dom.js";
import {words} from "./words.js";

const WIDTH = 460, HEIGHT = 220, LEFT = 46, BOTTOM = 30, RIGHT = 12, TOP = 12;

/**
 * Draws lines over the epochs; values from 0 on.
 * @param {string} title what the figure shows.
 * @param {{name: string, points: number[][]}[]} lines points are [x, y].
 */
export function lineChart(title, lines) {
  const all = lines.flatMap((line) => line.points);
  if (!all.length) return html("p", {class: "quiet"}, title);
  const [minX, maxX] = range(all.map(([x]) => x)), ticks = ticksOf(Math.max(...all.map(([, y]) => y)));
  const [minY, maxY] = [Math.min(0, ...all.map(([, y]) => y)), ticks.at(-1)];
  const x = (value) => LEFT + ((value - minX) / (maxX - minX)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - ((value - minY) / (maxY - minY)) * (HEIGHT - TOP - BOTTOM);
  const chart = svg("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img"}, svg("title", {}, described(title, lines)));
  for (const value of ticks) {
    chart.append(svg("line", {x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "rule"}), svg("text", {x: LEFT - 6, y: y(value) + 4, "text-anchor": "end"}, short(value)));
  }
  for (const value of [minX, maxX]) chart.append(svg("text", {x: x(value), y: HEIGHT - 8, "text-anchor": value === minX ? "start" : "end"}, short(value)));
  chart.append(svg("text", {x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 8, "text-anchor": "middle"}, words("epoch")));
  lines.forEach((line, index) => {
    const points = line.points.map(([px, py]) => `${x(px)},${y(py)}`).join(" ");
    chart.append(svg("polyline", {points, class: `line line-${index}`}));
    const [lastX, lastY] = line.points.at(-1);
    chart.append(svg("circle", {cx: x(lastX), cy: y(lastY), r: 3, class: `dot line-${index}`}));
  });
  const legend = html("ul", {class: "legend"}, lines.map((line, index) => html("li", {class: `line-${index}`}, `${line.name} ${short(line.points.at(-1)[1])}`)));
  return html("figure", {class: "chart-frame"}, html("figcaption", {}, html("strong", {}, title)), chart, legend);
}

/** Draws one bar for each name of an object of numbers. */
export function barChart(title, values) {
  const entries = Object.entries(values);
  const largest = Math.max(...entries.map(([, value]) => Math.abs(value)), 1e-12);
  const rows = entries.map(([name, value]) => html("li", {}, html("span", {class: "sign"}, name), html("span", {class: "track"}, html("span", {class: "bar", style: {width: `${(100 * Math.abs(value)) / largest}%`}})), html("span", {class: "figure"}, short(value))));
  return html("figure", {}, html("figcaption", {}, title), html("ol", {class: "bars"}, rows));
}

const described = (title, lines) => `${title}: ${lines.map((line) => `${line.name} ${short(line.points[0][1])} – ${short(line.points.at(-1)[1])}`).join(", ")}`;

export const short = (value) => (Number.isInteger(value) ? String(value) : Number(value.toPrecision(3)).toString());

/** Two to six round values from 0 to at least `high`. */
function ticksOf(high) {
  if (!(high > 0)) return [0, 1];
  const size = 10 ** Math.floor(Math.log10(high));
  const step = [0.2, 0.5, 1, 2].map((each) => each * size).find((each) => high / each <= 5.001) ?? 5 * size;
  return Array.from({length: Math.ceil(high / step - 1e-9) + 1}, (_, place) => Number((place * step).toPrecision(6)));
}

function range(values) {
  const low = Math.min(...values), high = Math.max(...values);
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}
