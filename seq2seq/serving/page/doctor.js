// The doctor: files in, its report out, with its figures as bars.

import {sendFiles} from "./api.js";
import {barChart, short} from "./charts.js";
import {html, say} from "./dom.js";
import {words} from "./words.js";

export function doctorView(panel, context) {
  const picker = html("input", {type: "file", id: "files", multiple: true, class: "unseen", accept: ".npz,.keras,.h5,.hdf5,.json"});
  const zone = html("label", {class: "card drop", for: "files"}, html("span", {}, words("doctorHint")), html("span", {class: "quiet"}, words("drop")), html("span", {class: "button"}, words("examine")));
  const report = html("div", {class: "stack", "aria-live": "polite"});

  const examine = async (files) => {
    if (!files.length) return;
    report.replaceChildren(html("p", {}, words("examining", {files: files.map((file) => file.name).join(", ")})));
    try {
      const found = await sendFiles("doctor", files);
      context.fail(null);
      report.replaceChildren(...drawing(found));
      say(found.findings.map((each) => each.title).join("; ") || words("sound"));
    } catch (error) {
      report.replaceChildren();
      context.fail(error);
    }
    picker.value = "";
  };
  picker.addEventListener("change", () => examine([...picker.files]));
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    examine([...event.dataTransfer.files]);
  });
  panel.replaceChildren(picker, zone, report);
  return {};
}

function drawing({findings, inferred, not_examined: notExamined}) {
  const cards = findings.map((each) =>
    html("article", {class: `card finding ${each.severity}`},
      html("h2", {}, html("span", {class: "code"}, each.code), ` ${each.title}`),
      html("p", {class: "quiet"}, html("span", {class: "severity"}, words(each.severity)), each.because_of ? ` · ${words("because", {code: each.because_of})}` : ""),
      html("p", {}, html("strong", {}, `${words("effect")}: `), each.effect),
      html("p", {}, html("strong", {}, `${words("fix")}: `), html("code", {}, each.fix)),
      evidence(each.evidence)),
  );
  if (!findings.some((each) => each.severity === "broken")) cards.unshift(html("p", {class: "sound"}, words("sound")));
  return [...cards, list("inferred", inferred), list("notExamined", notExamined)].filter(Boolean);
}

function evidence(found) {
  const numbers = (value) => value && typeof value === "object" && !Array.isArray(value) && Object.values(value).every((each) => typeof each === "number");
  const bars = Object.entries(found).filter(([, value]) => numbers(value));
  const rest = Object.entries(found).filter(([, value]) => !numbers(value));
  const text = (value) => (typeof value === "number" ? short(value) : typeof value === "string" ? value : JSON.stringify(value));
  return html("details", {open: bars.length > 0}, html("summary", {}, words("evidence")), bars.map(([name, values]) => barChart(name, values)), html("dl", {}, rest.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, text(value))])));
}

const list = (name, lines) => (lines?.length ? html("section", {class: "quiet"}, html("h2", {}, words(name)), html("ul", {}, lines.map((line) => html("li", {}, line)))) : null);
