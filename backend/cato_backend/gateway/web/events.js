// What the server told the person who runs it: starts, stops, ejections, tokens.
import { card, h, moment } from "./dom.js";

export function events() {
  const list = h("ol", { class: "lines" });
  let newest = "";
  const update = (data) => {
    const key = data.events[0]?.at ?? "none";
    if (key === newest) return;
    newest = key;
    const lines = data.events.map((each) => h("li", {}, moment(each.at), ` ${each.text}`));
    list.replaceChildren(...(lines.length ? lines : [h("li", { class: "quiet" }, "none yet")]));
  };
  return { elements: [card("Events, the newest first", list)], update };
}
