// Requests to the server. The token is sent in a header, and never in an address.

const KEY = "cato-token";

/** An answer with an error status. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? "",
  set(value, isKept) {
    token.forget();
    (isKept ? localStorage : sessionStorage).setItem(KEY, value);
  },
  forget() {
    sessionStorage.removeItem(KEY);
    localStorage.removeItem(KEY);
  },
};

async function answer(path, options = {}) {
  const headers = { ...options.headers };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  const response = await fetch(path, { ...options, headers, cache: "no-store" });
  if (!response.ok) throw new Refused(response.status, await complaint(response));
  return response;
}

async function complaint(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the server answered with status ${response.status}`;
  }
}

/** Return the JSON of an answer; undefined for one without a body. Throws Refused. */
export async function call(path, method = "GET", body = undefined) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await answer(path, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  return text ? JSON.parse(text) : undefined;
}

/** Return the records of an answer with one JSON object a line. Throws Refused. */
export async function records(path) {
  const text = await (await answer(path)).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Call `onData` with each event of a stream, until it ends or `signal` aborts it. Throws Refused. */
export async function watch(path, onData, signal) {
  const response = await answer(path, { headers: { Accept: "text/event-stream" }, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (held + value).split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const data = block.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const parsed = JSON.parse(data);
      if (parsed.error) throw new Refused(0, parsed.error.message);
      onData(parsed);
    }
  }
}
