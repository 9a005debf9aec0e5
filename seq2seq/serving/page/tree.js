// The tree of a beam search: one row a step, kept and pruned branches, the result's branch thick.

import {html, nats, svg, visible} from "./dom.js";
import {words} from "./words.js";

const COLUMN = 66, ROW = 40;

/** Builds the drawing of `explanation.tree`. */
export function treeOf(explanation) {
  const {nodes} = explanation.tree;
  const steps = Map.groupBy ? Map.groupBy(nodes, (node) => node.step) : grouped(nodes);
  const places = new Map();
  let widest = 1;
  for (const [step, several] of [...steps].sort((one, other) => one[0] - other[0])) {
    several.sort((one, other) => Number(other.kept) - Number(one.kept) || other.score - one.score);
    several.forEach((node, column) => places.set(node.id, [column * COLUMN + 16, step * ROW + 20]));
    widest = Math.max(widest, several.length);
  }
  const width = widest * COLUMN + 24, height = Math.max(...nodes.map((node) => node.step)) * ROW + 48;
  const drawing = svg("svg", {viewBox: `0 0 ${width} ${height}`, width, height, class: "tree", role: "img"});
  for (const node of nodes) {
    if (node.parent === null || !places.has(node.parent)) continue;
    const [x, y] = places.get(node.id), [fromX, fromY] = places.get(node.parent);
    drawing.append(svg("line", {x1: fromX, y1: fromY, x2: x, y2: y, class: kindOf(node)}));
  }
  for (const node of nodes) {
    const [x, y] = places.get(node.id);
    const label = node.parent === null ? "•" : visible(node.symbol);
    drawing.append(
      svg("g", {class: kindOf(node)},
        svg("circle", {cx: x, cy: y, r: 11}), svg("text", {x, y: y + 4, "text-anchor": "middle", class: label === "END" ? "end" : null}, label),
        svg("text", {x: x + 15, y: y + 4, class: "score"}, node.parent === null ? "" : nats(node.score)),
        svg("title", {}, `${label}  ${nats(node.score)}`)),
    );
  }
  const best = nodes.filter((node) => node.best && node.parent !== null).map((node) => visible(node.symbol));
  drawing.prepend(svg("title", {}, best.join("")));
  return html("figure", {class: "map"}, html("figcaption", {}, html("strong", {}, words("tree")), html("span", {class: "quiet"}, words("treeHint"))), html("div", {class: "scroll tall", tabindex: 0, role: "group", "aria-label": words("tree")}, drawing));
}

const kindOf = (node) => (node.best ? "best" : node.kept ? "kept" : "pruned");

function grouped(nodes) {
  const found = new Map();
  for (const node of nodes) found.set(node.step, [...(found.get(node.step) ?? []), node]);
  return found;
}
