// What was shown and taken by day, and what it cost, as `/v1/usage` and `/v1/usage/team` tell it.
import { records } from "./api.js";
import { card, facts, h, percent, span, table } from "./dom.js";

const TEAM_ROLES = ["lead", "admin"];
const HEADS = ["day", "shown", "accepted", "lines", "deadlines met", "shown in time", "engine time", "per line",
  "cost", "per line"];
const NOTHING = "Nothing yet. Editors send what was shown and accepted where feedback is switched on.";

export function usage({ person }) {
  const own = h("div", {}, h("p", { class: "quiet" }, "loading"));
  load(own, "Your usage", "/v1/usage");
  if (person && !TEAM_ROLES.includes(person.role)) return { elements: [own] };
  const all = h("div", {});
  load(all, "Everybody together", "/v1/usage/team");
  return { elements: [own, all] };
}

async function load(place, title, path) {
  try {
    place.replaceChildren(described(title, (await records(path)).reverse()));
  } catch (error) {
    place.replaceChildren(card(title, h("p", { class: error.status === 404 ? "quiet" : "trouble" }, error.message)));
  }
}

function described(title, days) {
  if (!days.length) return card(title, h("p", { class: "quiet" }, NOTHING));
  return card(title, facts(totals(days)), table(title, HEADS, days.map(row)));
}

/** Return the sums of all days, and what an accepted line took. */
function totals(days) {
  const lines = sum(days, (day) => day.loc_added_sum);
  const seconds = sum(days, (day) => day.cato.engine_seconds);
  const priced = days.filter((day) => day.cato.cost !== null);
  const currency = priced[0]?.cato.currency;
  const cost = priced.length === days.length ? sum(days, (day) => day.cato.cost) : null;
  return [
    ["accepted lines", lines.toLocaleString()],
    ["engine time", span(seconds)],
    ["engine time of an accepted line", lines ? time(seconds / lines) : "–"],
    ["cost", money(cost, currency)],
    ["cost of an accepted line", money(lines && cost !== null ? cost / lines : null, currency)],
  ];
}

function row(day) {
  const { code_generation_activity_count: shown, code_acceptance_activity_count: accepted, cato } = day;
  return [day.day, shown.toLocaleString(), `${accepted.toLocaleString()} (${percent(accepted / shown)})`,
    day.loc_added_sum.toLocaleString(), percent(cato.deadlines_met_share), percent(cato.shown_in_time_share),
    time(cato.engine_seconds), time(cato.engine_seconds_per_accepted_line),
    money(cato.cost, cato.currency), money(cato.cost_per_accepted_line, cato.currency)];
}

function sum(days, of) {
  return days.reduce((total, day) => total + (of(day) ?? 0), 0);
}

function time(seconds) {
  if (seconds === null) return "–";
  return seconds < 120 ? `${seconds.toPrecision(3)} s` : span(seconds);
}

/** Return three digits of a sum of money, and all of those before the point. */
function money(amount, currency) {
  if (amount === null) return "–";
  const digits = amount < 100 ? { minimumSignificantDigits: 3, maximumSignificantDigits: 3 }
    : { maximumFractionDigits: 0 };
  return `${amount.toLocaleString(undefined, digits)} ${currency}`;
}
