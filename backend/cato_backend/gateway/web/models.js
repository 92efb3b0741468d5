// The models, as `/v1/models` tells them.
import { call } from "./api.js";
import { card, h, ms, table } from "./dom.js";

export function models() {
  const place = h("div", {}, h("p", { class: "quiet" }, "loading"));
  load(place);
  return { elements: [place] };
}

async function load(place) {
  try {
    const listed = (await call("/v1/models")).data;
    place.replaceChildren(
      card("Names to ask for", table("names", ["name", "answers", "context", "classes"], listed.map(named))),
      ...listed.filter((each) => each.id === each.root).map(described));
  } catch (error) {
    place.replaceChildren(h("p", { class: "trouble" }, error.message));
  }
}

function named(each) {
  const context = each.max_model_len ? `${each.max_model_len.toLocaleString()} tokens` : "–";
  return [h("code", {}, each.id), each.root, context, each.cato.tasks.join(", ")];
}

function described(each) {
  const targets = Object.entries(each.cato.targets).map(([task, target]) => [
    task,
    target.ttft_ms === undefined ? `whole answer in ${ms(target.e2e_ms)}` : `first token in ${ms(target.ttft_ms)}`,
    target.times > 1 ? `its hardware: ${target.times.toFixed(1)} times the configured one` : "the configuration",
  ]);
  const size = each.cato.parameters ? `${(each.cato.parameters / 1e9).toFixed(1)} billion parameters. ` : "";
  const order = each.cato.fim_order ? `Fills in the middle (${each.cato.fim_order}). ` : `${each.cato.note}. `;
  const follows = each.cato.follows_instructions ? "Follows instructions" : "Follows no instructions";
  const instructions = `${follows} (${each.cato.instruct_note}).`;
  return card(each.id,
    h("p", {}, size, order, instructions),
    table(`targets of ${each.id}`, ["class", "target", "by"], targets),
    h("p", { class: "quiet" }, `Whole tasks: ${each.cato.whole_tasks.join(", ") || "none"}. ${each.cato.whole_tasks_note}`));
}
