// How many more sessions would fit, as far as the last minutes tell.
import { meter } from "./charts.js";
import { card, facts, h, percent, span } from "./dom.js";

export function capacity() {
  const place = h("div", { class: "stack" });
  const update = (data) => {
    const { capacity: known } = data;
    place.replaceChildren(
      h("p", { class: "figure" }, known.more_sessions === null ? "not known yet" : `${known.more_sessions} more`),
      h("p", {}, known.note),
      meter(`${percent(known.busy)} of the slots taken in the mean`, known.busy),
      facts([
        ["sessions seen", `${known.sessions} in ${span(data.window_s)}`],
        ["slots of all replicas", known.slots],
        ["taken in the mean", percent(known.busy)],
      ]));
  };
  return { elements: [
    card("Sessions that would still fit", place),
    card("How this is computed", h("p", {},
      "A session is one editor of one token. The mean number of running answers, by the number of slots, says how "
      + "full the replicas were; up to 70% is taken to be usable. It supposes that new people ask as those do who "
      + "are here, and that answers take no longer beside more others. It is not a promise."),
    h("p", {}, "For a plan by deadlines, ask the simulator, where the package is installed with the extra lab:"),
    h("pre", { tabindex: 0, role: "region", "aria-label": "command" }, h("code", {}, "cato plan --developers 40"))),
  ], update };
}
