// Where the model looked: attention weights, or a transducer's positions and actions, as a grid under the source's symbols.

import {shade} from "./colours.js";
import {html, percent, svg, visible, widthOf} from "./dom.js";
import {words} from "./words.js";

const CELL = 26, SMALL = 16, MANY = 40; // pixels, and the number of symbols above which cells are small

/** Builds the map of an explanation, or a line that says there is none. */
export function mapOf(explanation) {
  if (explanation.actions) return figure("actions", editPath(explanation));
  if (explanation.peaks?.length) return figure("attention", attention(explanation));
  return html("p", {class: "quiet"}, words("noMap"));
}

function figure(name, drawing) {
  return html("figure", {class: "map"}, html("figcaption", {}, html("strong", {}, words(name)), html("span", {class: "quiet"}, words(`${name}Hint`))), html("div", {class: "scroll tall", tabindex: 0, role: "group", "aria-label": words(name)}, drawing));
}

function attention({symbols, source, peaks}) {
  const rows = symbols.map((entry, row) => ({label: visible(entry.symbol), cells: peaks[row]})); // the largest weight first
  const last = Math.max(...peaks.flat().map(([x]) => x)); // END has a column where it is read
  const columns = Array.from({length: Math.max(source.length, last + 1)}, (_, place) => visible(source[place] ?? null));
  const {grid, cell, left, top} = frame(columns, rows.map((row) => row.label));
  rows.forEach((row, y) =>
    row.cells.forEach(([x, weight]) => {
      const title = svg("title", {}, `${row.label} ← ${columns[x]}: ${percent(weight)}`);
      const box = svg("rect", {x: left + x * cell, y: top + y * cell, width: cell - 1, height: cell - 1, rx: 3}, title);
      box.style.fill = shade(weight);
      grid.append(box);
    }),
  );
  grid.append(svg("title", {}, rows.map((row) => `${row.label}: ${columns[row.cells[0][0]]}`).join("; ")));
  return grid;
}

function editPath({actions, source}) {
  const columns = [...source.filter((symbol) => symbol !== "<END>"), null].map(visible);
  const name = (each) => `${words(each.action)}${each.symbol === null || each.action === "delete" ? "" : ` ${visible(each.symbol)}`}`;
  const {grid, cell, left, top} = frame(columns, actions.map(name));
  const centre = (each, row) => [left + (each.position + 0.5) * cell, top + (row + 0.5) * cell];
  const points = actions.map((each, row) => centre(each, row).join(",")).join(" ");
  grid.append(svg("polyline", {points, class: "path"}));
  actions.forEach((each, row) => {
    const [x, y] = centre(each, row);
    const title = svg("title", {}, `${name(each)}, ${percent(each.probability)}`);
    const mark = svg("circle", {cx: x, cy: y, r: 0.42 * cell, class: `action ${each.action}`}, title);
    mark.style.strokeWidth = 1 + 2 * each.probability;
    const written = each.action === "delete" ? "–" : each.symbol === null ? "" : visible(each.symbol);
    grid.append(mark, svg("text", {x, y: y + 4, class: "on-mark", "text-anchor": "middle"}, written));
  });
  grid.append(svg("title", {}, actions.map((each) => `${columns[each.position]}: ${name(each)}`).join("; ")));
  return grid;
}

/** An empty grid with the source's symbols above and labels at the left; long labels above are turned. */
function frame(columns, rows) {
  const cell = Math.max(columns.length, rows.length) > MANY ? SMALL : CELL;
  const widest = Math.max(...columns.map(widthOf)), turned = widest > CELL;
  const left = Math.max(...rows.map(widthOf)) + 16, top = turned ? widest + 12 : 30;
  const width = left + columns.length * cell + 4, height = top + rows.length * cell + 4;
  const kind = `grid${cell === SMALL ? " small" : ""}`;
  const grid = svg("svg", {viewBox: `0 0 ${width} ${height}`, width, height, class: kind, role: "img"});
  columns.forEach((label, place) => {
    const x = left + (place + 0.5) * cell;
    const turn = turned ? {transform: `rotate(-90 ${x + 4} ${top - 6})`, x: x + 4, y: top - 6} : {x, y: top - 10, "text-anchor": "middle"};
    grid.append(svg("text", {...turn, class: label === "END" ? "end" : null}, label));
    grid.append(svg("rect", {x: left + place * cell, y: top, width: cell - 1, height: rows.length * cell, class: "cell"}));
  });
  rows.forEach((label, place) => {
    const below = top + (place + 1) * cell - 0.5;
    grid.append(svg("text", {x: left - 8, y: below - cell / 2 + 4.5, "text-anchor": "end", class: label === "END" ? "end" : null}, label));
    grid.append(svg("line", {x1: left, x2: width, y1: below, y2: below, class: "between"}));
  });
  return {grid, cell, left, top};
}
