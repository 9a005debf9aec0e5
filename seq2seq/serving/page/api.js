// The service's endpoints. A newer request of one kind stops the older one.

const running = new Map();

/** Raised for answers that are errors, with the service's own words and the status of HTTP. */
export class ServiceError extends Error {
  constructor(body, status, otherwise) {
    const error = body.error?.message ?? body.error ?? body.detail ?? otherwise;
    super(typeof error === "string" ? error : JSON.stringify(error));
    this.status = status;
  }
}

async function answerOf(response) {
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  throw new ServiceError(body, response.status, response.statusText);
}

export const get = async (path) => answerOf(await fetch(path, {headers: key()}));

/** Sends JSON; a request with the same `slot` that is still running is stopped and returns null. */
export async function post(path, body, slot = path) {
  running.get(slot)?.abort();
  const control = new AbortController();
  running.set(slot, control);
  try {
    const options = {method: "POST", headers: {"Content-Type": "application/json", ...key()}, body: JSON.stringify(body), signal: control.signal};
    return await answerOf(await fetch(path, options));
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  } finally {
    if (running.get(slot) === control) running.delete(slot);
  }
}

export async function sendFiles(path, files) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return answerOf(await fetch(path, {method: "POST", body: form, headers: key()}));
}

/** Yields the data of server-sent events until `[DONE]`; a stream that ends before it raises an error. */
export async function* stream(path, body, signal) {
  const response = await fetch(path, {method: "POST", headers: {"Content-Type": "application/json", ...key()}, body: JSON.stringify(body), signal});
  if (!response.ok) await answerOf(response);
  let rest = "";
  for await (const chunk of chunksOf(response.body.pipeThrough(new TextDecoderStream()))) {
    const events = (rest + chunk).split(/\r?\n\r?\n/);
    rest = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data === "[DONE]") return;
      if (!data) continue;
      const content = JSON.parse(data);
      if (content.error) throw new ServiceError(content, response.status);
      yield content;
    }
  }
  throw new Error("the stream ended before its end");
}

async function* chunksOf(readable) {
  const reader = readable.getReader();
  try {
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function key() {
  const given = sessionStorage.getItem("api-key");
  return given ? {Authorization: `Bearer ${given}`} : {};
}

export const hasKey = () => Boolean(sessionStorage.getItem("api-key"));

export const setKey = (value) => sessionStorage.setItem("api-key", value);
