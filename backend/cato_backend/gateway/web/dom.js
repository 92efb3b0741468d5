// Elements and texts. Data reach the page only as text nodes and attributes, never as markup.

/** Return an element. `on...` attributes are listeners; null, undefined and false are left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return a card with a heading. */
export function card(title, ...children) {
  return h("section", { class: "card" }, h("h2", {}, title), ...children);
}

/** Return the rows of a list of names and values. */
export function facts(pairs) {
  return h("dl", { class: "facts-list" }, pairs.map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** Return a table that scrolls sideways where it is too wide. */
export function table(label, heads, rows) {
  const head = h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)));
  const body = rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))));
  return h("div", { class: "scroll", role: "region", "aria-label": label, tabindex: 0 },
    h("table", {}, h("thead", {}, head), h("tbody", {}, body)));
}

/** Return a state as a pill: its word tells it, the colour only repeats it. */
export function pill(text, tone) {
  return h("span", { class: `pill ${tone}` }, text);
}

/** Return milliseconds for people. */
export function ms(value) {
  if (value === null || value === undefined) return "–";
  if (value < 10) return `${value.toFixed(1)} ms`;
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** Return a share as a percentage; a dash where there is none, as of nothing. */
export function percent(share) {
  return !Number.isFinite(share) ? "–" : `${(100 * share).toFixed(share < 1 ? 1 : 0)}%`;
}

/** Return a time span in seconds for people. */
export function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

/** Return a moment as a `time` element: the hour today, else the date too. */
export function moment(iso) {
  if (!iso) return "–";
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date().toDateString();
  return h("time", { datetime: iso, title: iso }, isToday ? at.toLocaleTimeString() : at.toLocaleString());
}

/** Return lines to copy, with a button that copies them. */
export function copyable(label, text) {
  const button = h("button", { type: "button", class: "plain", "aria-label": `Copy: ${label}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy it";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return h("div", { class: "copyable" },
    h("pre", { tabindex: 0, role: "region", "aria-label": label }, h("code", {}, text)), button);
}
