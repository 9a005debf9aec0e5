// Lists the models and languages, and shows the answer of POST /translate.
const form = document.querySelector("#form");
const answer = document.querySelector("#answer");

function addOption(select, code, name) {
  const option = document.createElement("option");
  option.value = code;
  option.textContent = name;
  select.append(option);
}

async function read(path, options) {
  const response = await fetch(path, options);
  const content = await response.json();
  if (!response.ok) throw new Error(content.error.message ?? content.error);
  return content;
}

async function show() {
  const languages = await read("/languages");
  for (const { code, name, targets } of languages) {
    if (targets.length) addOption(form.source, code, name);
    if (languages.some((other) => other.targets.includes(code))) addOption(form.target, code, name);
  }
  const models = await read("/v1/models");
  for (const { id } of models.data) {
    const item = document.createElement("li");
    item.textContent = id;
    document.querySelector("#models").append(item);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const asked = await read("/translate", { method: "POST", body: new URLSearchParams(new FormData(form)) });
    answer.textContent = asked.translatedText;
  } catch (error) {
    answer.textContent = error.message;
  }
});

show().catch((error) => { answer.textContent = error.message; });
