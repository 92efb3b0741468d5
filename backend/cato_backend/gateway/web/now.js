// What happens now: the figures of the last minutes, by class, by replica, and what was late.
import { bars, meter } from "./charts.js";
import { card, facts, h, moment, ms, percent, pill, span } from "./dom.js";

const TONES = { up: "good", asleep: "good", starting: "warn", draining: "warn", on_trial: "warn" };
const CAUSES = {
  queue: "the queue", prediction: "slower than predicted", target: "more than its target allows",
  pace: "slow tokens", moved: "a failed attempt", refused: "refused", calls: "a whole task",
};
const sum = (values) => values.reduce((total, value) => total + value, 0);

export function now() {
  const tiles = h("div", { class: "tiles" });
  const classes = h("div", { class: "cards" });
  const replicas = h("div", { class: "cards" });
  const causes = h("p", { class: "quiet" });
  const late = h("ol", { class: "lines" });
  const elements = [
    tiles,
    h("h2", {}, "By class"), classes,
    h("h2", {}, "Replicas"), replicas,
    card("Late in the last minutes, and why", causes, late),
  ];
  const update = (data) => {
    tiles.replaceChildren(...summary(data));
    classes.replaceChildren(...data.classes.map((each) => oneClass(each, data)));
    replicas.replaceChildren(...replicaCards(data));
    causes.textContent = Object.entries(data.late_causes).map(([cause, count]) => `${count}: ${CAUSES[cause]}`).join("; ");
    late.replaceChildren(...lateLines(data));
  };
  return { elements, update };
}

function tile(name, value, detail = "") {
  return h("div", { class: "tile" }, h("p", { class: "quiet" }, name), h("p", { class: "figure" }, value),
    h("p", { class: "quiet" }, detail));
}

function summary(data) {
  const wanted = sum(data.classes.flatMap((each) => each.wanted));
  const met = sum(data.classes.flatMap((each) => each.met));
  const minutes = Math.min(data.window_s, data.uptime_s) / 60;
  const up = data.replicas.filter((each) => each.state === "up").length;
  const load = Math.max(0, ...data.models.map((each) => each.load));
  const period = `in ${span(Math.min(data.window_s, data.uptime_s))}`;
  return [
    tile("In time", wanted ? percent(met / wanted) : "–", `${met} of ${wanted} ${period}`),
    tile("Requests a minute", (wanted / minutes).toFixed(1), period),
    tile("In the queue", sum(data.classes.map((each) => each.waiting)),
      `longest wait ${ms(Math.max(...data.classes.map((each) => each.longest_wait_ms)))}`),
    tile("Running", sum(data.classes.map((each) => each.running)), `load ${percent(load)}`),
    tile("Replicas up", `${up} of ${data.replicas.length}`, data.models.map((each) => each.name).join(", ")),
  ];
}

function oneClass(each, data) {
  const wanted = sum(each.wanted);
  const others = Object.entries(each.outcomes)
    .filter(([outcome]) => !["met", "late", "enough"].includes(outcome))
    .map(([outcome, count]) => `${count} ${outcome.replaceAll("_", " ")}`);
  const label = `${each.task}: ${sum(each.met)} of ${wanted} requests in time, by ${data.slice_s} seconds`;
  return h("section", { class: wanted || each.running || each.waiting ? "card" : "card idle" },
    h("h3", {}, each.task, h("span", { class: "right" }, percent(each.goodput))),
    bars(label, each.wanted, each.met),
    facts([
      ["in time", `${sum(each.met)} of ${wanted}`],
      ["queue, running", `${each.waiting}, ${each.running}`],
    ]),
    times(each.latency_ms),
    h("p", { class: "quiet" }, others.length ? `also ${others.join(", ")}` : ""));
}

const TIMES = { queue: "queue", ttft: "TTFT", tpot: "TPOT", e2e: "E2E" };

function times(latency) {
  const rows = Object.entries(TIMES).filter(([name]) => latency[name]);
  if (!rows.length) return h("p", { class: "quiet" }, "no answers in the last minutes");
  const row = ([name, title]) => h("tr", {}, h("th", { scope: "row" }, title),
    ["p50", "p90", "p99"].map((share) => h("td", {}, ms(latency[name][share]))));
  const heads = ["time", "50%", "90%", "99%"].map((text) => h("th", { scope: "col" }, text));
  return h("table", { class: "small" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows.map(row)));
}

function replicaCards(data) {
  if (!data.replicas.length) return [h("p", { class: "quiet" }, "no replica has been started yet")];
  return data.replicas.map(oneReplica);
}

function oneReplica(each) {
  const share = each.slots ? each.running / each.slots : 0;
  const trouble = [each.reason, each.remedy].filter(Boolean).join("; ");
  return h("section", { class: "card" },
    h("h3", {}, each.id, pill(each.state.replaceAll("_", " "), TONES[each.state] ?? "bad")),
    meter(`${each.running} of ${each.slots} slots taken`, share),
    facts([
      ["model", each.model ?? "–"],
      ["running, slots", `${each.running}, ${each.slots}`],
      ["tokens owed", each.outstanding_tokens],
      ["since", moment(each.since)],
    ]),
    trouble ? h("p", { class: "trouble" }, trouble) : null,
    each.ejected_for
      ? h("p", { class: "trouble" }, `ejected for ${each.ejected_for}; next trial in ${span(each.next_trial_s)}`)
      : null,
    each.law ? laws(each) : null);
}

function laws({ law, profile }) {
  const row = (name, of) => h("tr", {}, h("th", { scope: "row" }, name),
    h("td", {}, ms(of?.token_ms)), h("td", {}, ms(of?.prompt_1k_ms)));
  const heads = ["law", "a token", "1,000 tokens of prompt"].map((text) => h("th", { scope: "col" }, text));
  const age = law.age_s === null ? "not learned yet" : `${law.windows} stretches of steps, the last ${span(law.age_s)} ago`;
  return h("div", {},
    h("table", { class: "small" }, h("thead", {}, h("tr", {}, heads)),
      h("tbody", {}, row(`learned ± ${percent(law.spread)}`, law),
        row(profile ? `profile (${profile.hardware})` : "no profile", profile))),
    h("p", { class: "quiet" }, age));
}

function lateLines(data) {
  if (!data.late.length) return [h("li", { class: "quiet" }, "none")];
  return data.late.map((each) => h("li", {},
    moment(each.at), " ", pill(CAUSES[each.cause], "warn"), ` ${each.task}`,
    each.replica ? ` on ${each.replica}` : "", `: ${each.why}`));
}
