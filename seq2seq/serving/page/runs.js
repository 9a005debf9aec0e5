// Trainings in the folder runs/: curves and samples, which grow while a run goes on.

import {get} from "./api.js";
import {lineChart, short} from "./charts.js";
import {html} from "./dom.js";
import {words} from "./words.js";

const PAUSE = 2000; // milliseconds between two looks at a run that goes on

export function runsView(panel, context) {
  const choice = html("select", {id: "run"});
  const head = html("div", {class: "row", hidden: true}, html("label", {for: "run"}, words("run")), choice);
  const body = html("div", {class: "stack"});
  let timer = 0, closed = false, before = "", offered = "";

  const draw = async () => {
    clearTimeout(timer);
    try {
      const runs = (await get("runs")).reverse(); // the newest first
      if (closed) return;
      context.fail(null);
      timer = setTimeout(draw, PAUSE); // a run may begin at any time
      head.hidden = !runs.length;
      if (!runs.length) {
        body.replaceChildren(html("p", {class: "card"}, words("noRuns")));
        return;
      }
      offer(runs);
      const wanted = choice.value;
      const found = await get(`runs/${encodeURIComponent(wanted)}`);
      if (closed || wanted !== choice.value) return;
      const now = JSON.stringify(found);
      if (now !== before) {
        const opened = body.querySelector("details")?.open;
        body.replaceChildren(...drawing(found));
        if (opened) body.querySelector("details").open = true;
      }
      before = now;
    } catch (error) {
      if (closed) return;
      context.fail(error);
      clearTimeout(timer);
      timer = setTimeout(draw, 2 * PAUSE);
    }
  };
  const offer = (runs) => {
    const now = JSON.stringify(runs);
    if (now === offered) return; // a list that is open stays as it is
    offered = now;
    const chosen = choice.value || (runs.find((run) => !run.finished) ?? runs[0]).name;
    choice.replaceChildren(...runs.map((run) => html("option", {value: run.name}, `${run.name} (${words(run.finished ? "finished" : "unfinished")})`)));
    choice.value = runs.some((run) => run.name === chosen) ? chosen : runs[0].name;
  };
  choice.addEventListener("change", draw);
  panel.replaceChildren(head, body);
  draw();
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function drawing({history, samples}) {
  if (!history.length) return [html("p", {}, words("noEpoch"))];
  const newest = history.filter((row) => row.member === history.at(-1).member); // of an ensemble, the member in training
  const column = (name, factor = 1) => newest.filter((row) => Number.isFinite(row[name])).map((row) => [row.epoch, factor * row[name]]);
  const lines = (pairs) => pairs.map(([name, points]) => ({name, points})).filter((line) => line.points.length);
  const losses = lines([[words("train"), column("train_loss")], [words("validation"), column("loss")]]);
  const scores = lines([[words("chrf"), column("chrf")], [words("exact"), column("exact", 100)]]);
  return [
    html("div", {class: "columns"}, html("div", {class: "card"}, lineChart(words("loss"), losses)), scores.length ? html("div", {class: "card"}, lineChart(words("scores"), scores)) : null),
    samples ? html("section", {class: "card"}, html("h2", {}, words("samples")), html("pre", {class: "scroll", tabindex: 0, dir: "auto"}, samples.split("\n").slice(-60).join("\n"))) : null,
    table(history),
  ].filter(Boolean);
}

function table(history) {
  const names = Object.keys(history[0] ?? {});
  const rows = history.map((row) => html("tr", {}, names.map((name) => html("td", {}, typeof row[name] === "number" ? short(row[name]) : (row[name] ?? "")))));
  return html("details", {class: "card"}, html("summary", {}, words("table")), html("div", {class: "scroll tall", tabindex: 0}, html("table", {}, html("thead", {}, html("tr", {}, names.map((name) => html("th", {scope: "col"}, name)))), html("tbody", {}, rows))));
}
