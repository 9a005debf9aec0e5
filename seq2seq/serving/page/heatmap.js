// Where the model looked: attention weights, or a transducer's positions and actions, as a grid under the source's symbols.

import {shade} from "./colours.js";
import {html, percent, svg, visible} from "./dom.js";
import {words} from "./words.js";

const CELL = 26, TOP = 30;

/** Builds the map of an explanation, or a line that says there is none. */
export function mapOf(explanation) {
  if (explanation.actions) return figure("actions", editPath(explanation));
  if (explanation.peaks?.length) return figure("attention", attention(explanation));
  return html("p", {class: "quiet"}, words("noMap"));
}

function figure(name, drawing) {
  return html("figure", {class: "map"}, html("figcaption", {}, html("strong", {}, words(name)), html("span", {class: "quiet"}, words(`${name}Hint`))), html("div", {class: "scroll", tabindex: 0, role: "group", "aria-label": words(name)}, drawing));
}

function attention({symbols, source, peaks}) {
  const rows = symbols.map((entry, row) => ({label: visible(entry.symbol), cells: peaks[row]})); // the largest weight first
  const labels = source.map(visible);
  const grid = frame(labels, rows.map((row) => row.label), 40);
  rows.forEach((row, y) =>
    row.cells.forEach(([x, weight]) => {
      const cell = svg("rect", {x: 40 + x * CELL, y: TOP + y * CELL, width: CELL - 1, height: CELL - 1, rx: 3}, svg("title", {}, `${row.label} ← ${labels[x]}: ${percent(weight)}`));
      cell.style.fill = shade(weight);
      grid.append(cell);
    }),
  );
  grid.append(svg("title", {}, rows.map((row) => `${row.label}: ${labels[row.cells[0][0]]}`).join("; ")));
  return grid;
}

function editPath({actions, source}) {
  const labels = [...source.filter((symbol) => symbol !== "<END>"), null].map(visible);
  const left = 122;
  const name = (each) => `${words(each.action)}${each.symbol === null || each.action === "delete" ? "" : ` ${visible(each.symbol)}`}`;
  const grid = frame(labels, actions.map(name), left);
  const centre = (each, row) => [left + (each.position + 0.5) * CELL, TOP + (row + 0.5) * CELL];
  const points = actions.map((each, row) => centre(each, row).join(",")).join(" ");
  grid.append(svg("polyline", {points, class: "path"}));
  actions.forEach((each, row) => {
    const [x, y] = centre(each, row);
    const mark = svg("circle", {cx: x, cy: y, r: 9, class: `action ${each.action}`}, svg("title", {}, `${name(each)}, ${percent(each.probability)}`));
    mark.style.fillOpacity = 0.25 + 0.75 * each.probability;
    grid.append(mark, svg("text", {x, y: y + 4, class: "on-mark", "text-anchor": "middle"}, each.action === "delete" ? "–" : each.symbol === null ? "" : visible(each.symbol)));
  });
  grid.append(svg("title", {}, actions.map((each) => `${labels[each.position]}: ${name(each)}`).join("; ")));
  return grid;
}

/** An empty grid with the source's symbols above and labels at the left. */
function frame(columns, rows, left) {
  const width = left + columns.length * CELL + 4, height = TOP + rows.length * CELL + 4;
  const grid = svg("svg", {viewBox: `0 0 ${width} ${height}`, width, height, class: "grid", role: "img"});
  columns.forEach((label, x) => {
    grid.append(svg("text", {x: left + (x + 0.5) * CELL, y: TOP - 10, "text-anchor": "middle"}, label));
    grid.append(svg("rect", {x: left + x * CELL, y: TOP, width: CELL - 1, height: rows.length * CELL, class: "cell"}));
  });
  rows.forEach((label, y) => {
    const below = TOP + (y + 1) * CELL - 0.5;
    grid.append(svg("text", {x: left - 8, y: below - 8.5, "text-anchor": "end"}, label));
    grid.append(svg("line", {x1: left, x2: width, y1: below, y2: below, class: "between"}));
  });
  return grid;
}
