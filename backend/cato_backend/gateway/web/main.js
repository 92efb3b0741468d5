// The frame of the page: tabs, the token, the theme, and the live data for the view that is shown.
import { Refused, call, token, watch } from "./api.js";
import { capacity } from "./capacity.js";
import { connect } from "./connect.js";
import { h, span } from "./dom.js";
import { events } from "./events.js";
import { models } from "./models.js";
import { now } from "./now.js";
import { device, deviceCode, signInLink } from "./sign-in.js";
import { tokens } from "./tokens.js";
import { usage } from "./usage.js";

const VIEWS = { now, models, events, usage, capacity, connect, tokens, device };
const TITLES = {
  now: "Now", models: "Models", events: "Events", usage: "Usage", capacity: "Capacity", connect: "Connect",
  tokens: "Tokens", device: "Device",
};
const LONGEST_WAIT_MS = 10000;
const at = (id) => document.getElementById(id);

let latest = null;
let shown = null;
let watching = null;
let person = null;

// -- views ------------------------------------------------------------------------------------

function names() {
  return Object.keys(VIEWS).filter((name) => name !== "device" && (name !== "tokens" || person));
}

function asked() {
  return location.hash.slice(1).split("=")[0];
}

function showTabs() {
  at("tabs").replaceChildren(...names().map((name) => h("li", {}, h("a", {
    href: `#${name}`, "aria-current": asked() === name ? "page" : null,
  }, TITLES[name]))));
  document.querySelector("#tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function show() {
  if (person?.person && deviceCode() !== null) history.replaceState(null, "", "#device");
  const name = asked() === "device" || names().includes(asked()) ? asked() : "now";
  if (name !== asked()) history.replaceState(null, "", `#${name}`);
  showTabs();
  document.title = `${TITLES[name]} – CATO`;
  const signsIn = Boolean(person?.person && !token.get());
  shown = VIEWS[name]({ person, signsIn, needsToken: signsIn || Boolean(token.get()) });
  at("main").replaceChildren(h("h1", { class: "unseen" }, TITLES[name]), ...shown.elements);
  if (latest) shown.update?.(latest);
}

function take(data) {
  latest = data;
  const tone = { ok: "good", starting: "warn", draining: "warn" }[data.status] ?? "bad";
  setStatus(data.status, tone);
  at("facts").textContent = `version ${data.version}, up ${span(data.uptime_s)}`;
  tell(data.message);
  shown?.update?.(data);
}

function setStatus(text, tone) {
  // A status that is written again would be read aloud again.
  if (at("status").textContent === text) return;
  at("status").textContent = text;
  at("status").className = `pill ${tone}`;
}

function tell(message) {
  if (at("banner").textContent !== message) at("banner").textContent = message;
  at("banner").hidden = !message;
}

// -- the stream -------------------------------------------------------------------------------

async function follow() {
  watching?.abort();
  const own = watching = new AbortController();
  let wait = 1000;
  while (!own.signal.aborted) {
    try {
      await watch("/v1/overview?stream=true", (data) => { wait = 1000; take(data); }, own.signal);
      lost("The server has ended the stream");
    } catch (error) {
      if (own.signal.aborted) return;
      if (error.status === 401) return askForToken();
      lost(error instanceof Refused ? error.message : "The server does not answer");
    }
    await new Promise((resume) => setTimeout(resume, wait));
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  }
}

function lost(reason) {
  setStatus("no connection", "bad");
  tell(`${reason}. The figures are old; this page tries again by itself.`);
}

// -- the token --------------------------------------------------------------------------------

async function askForToken() {
  deviceCode();
  const link = await signInLink();
  const field = h("input", {
    id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false",
    "aria-describedby": "token-help",
  });
  const kept = h("input", { id: "kept", type: "checkbox" });
  const form = h("form", { class: "card narrow", onsubmit: (event) => {
    event.preventDefault();
    token.set(field.value.trim(), kept.checked);
    tell("");
    begin();
  } },
  h("h2", {}, link ? "Or with a token" : "This server asks for a token"),
  h("label", { for: "token" }, "Token"), field,
  h("p", { id: "token-help", class: "quiet" },
    "The same that your editor has. It is kept in this tab, and sent to this server only."),
  h("p", {}, kept, h("label", { for: "kept" }, " Keep it in this browser")),
  h("button", { type: "submit" }, "Open"));
  if (token.get()) tell("The server does not know this token.");
  token.forget();
  latest = person = shown = null;
  at("forget").hidden = true;
  setStatus(link ? "sign in" : "a token is needed", "warn");
  at("facts").textContent = "";
  at("tabs").replaceChildren();
  at("main").replaceChildren(h("h1", { class: "unseen" }, "Sign in"),
    ...(link ? [h("section", { class: "card narrow" }, h("h2", {}, "Sign in"), link)] : []), form);
  (link?.firstChild ?? field).focus();
}

async function whoami() {
  try {
    return await call("/v1/whoami");
  } catch (error) {
    if (error.status === 401) throw error;
    return null;
  }
}

async function begin() {
  try {
    person = await whoami();
  } catch {
    return askForToken();
  }
  at("forget").hidden = !token.get() && !person?.person;
  at("forget").textContent = token.get() ? "Forget the token" : "Sign out";
  show();
  return follow();
}

/** Forget the token; without one, end the session whose cookie the browser keeps. */
async function leave() {
  const isSession = !token.get();
  token.forget();
  try {
    if (isSession) await call("/v1/sign-out", "POST");
  } catch (error) {
    tell(error.message);
  }
  return askForToken();
}

// -- the theme --------------------------------------------------------------------------------

const THEMES = ["system", "light", "dark"];

function setTheme(theme) {
  if (theme === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = theme;
  at("theme").textContent = `Theme: ${theme}`;
}

at("theme").addEventListener("click", () => {
  const present = document.documentElement.dataset.theme ?? "system";
  const next = THEMES[(THEMES.indexOf(present) + 1) % THEMES.length];
  localStorage.setItem("cato-theme", next);
  setTheme(next);
});
at("forget").addEventListener("click", () => {
  watching?.abort();
  leave();
});
addEventListener("hashchange", () => {
  if (!shown || location.hash === "#main") return;
  show();
  at("main").focus({ preventScroll: true });
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) watching?.abort();
  else if (shown) follow();
});
setTheme(THEMES.find((theme) => theme === localStorage.getItem("cato-theme")) ?? "system");
begin();
