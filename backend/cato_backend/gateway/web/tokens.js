// The tokens of this server: who has which, new ones, and their end.
import { call } from "./api.js";
import { card, copyable, h, moment, pill, table } from "./dom.js";

const MAKERS = ["lead", "admin"];

export function tokens({ person }) {
  const list = h("div", {});
  const made = h("div", { "aria-live": "polite" });
  const reload = () => load(list, reload);
  reload();
  const who = person.person ? `You are ${person.person}` : "Your token belongs to no person";
  const mine = h("p", {}, `${who}${person.team ? ` of ${person.team}` : ""}, role ${person.role}.`);
  return { elements: [card("New token", mine, form(person, made, reload), made), card("Tokens", list)] };
}

async function load(list, reload) {
  try {
    const { data } = await call("/v1/tokens");
    list.replaceChildren(ofPeople(data, reload), data.length
      ? table("tokens", ["begins with", "name", "person", "team", "role", "created", "expires", "last used", "end"],
        data.map((each) => row(each, reload)))
      : h("p", { class: "quiet" }, "none"));
  } catch (error) {
    list.replaceChildren(h("p", { class: "trouble" }, error.message));
  }
}

function row(each, reload) {
  return [h("code", {}, each.starts), each.name, each.person, each.team ?? "–", each.role, moment(each.created),
    moment(each.expires), moment(each.last_used),
    each.revoked ? pill("revoked", "bad")
      : revoke("Revoke", each.name, `/v1/tokens/${encodeURIComponent(each.id)}`, reload)];
}

/** Return a button for each person who has several tokens: it revokes all of them. */
function ofPeople(data, reload) {
  const counts = new Map();
  for (const { person, revoked } of data) if (!revoked) counts.set(person, (counts.get(person) ?? 0) + 1);
  const several = [...counts].filter(([, count]) => count > 1).sort();
  return h("p", { class: "row" }, ...several.map(([person, count]) => revoke(`Revoke all ${count} of ${person}`,
    person, `/v1/people/${encodeURIComponent(person)}/tokens`, reload)));
}

/** Return a button that asks once more before it acts. */
function revoke(text, name, path, reload) {
  const button = h("button", { type: "button", class: "plain" }, text);
  const label = (shown) => {
    button.textContent = shown;
    button.setAttribute("aria-label", `${shown}: ${name}`);
  };
  label(text);
  let isSure = false;
  button.addEventListener("click", async () => {
    if (!isSure) {
      isSure = true;
      label(`Really ${text[0].toLowerCase()}${text.slice(1)}`);
      return;
    }
    button.disabled = true;
    try {
      await call(path, "DELETE");
      reload();
    } catch (error) {
      label(error.message);
    }
  });
  button.addEventListener("blur", () => { isSure = false; label(text); });
  return button;
}

function form(person, made, reload) {
  const name = h("input", { id: "name", required: true, maxlength: 64, autocomplete: "off" });
  const owner = h("input", { id: "person", maxlength: 64, autocomplete: "off" });
  const expires = h("input", { id: "expires", type: "date" });
  const isMaker = MAKERS.includes(person.role);
  return h("form", { class: "row", onsubmit: async (event) => {
    event.preventDefault();
    const body = { name: name.value };
    if (owner.value) body.person = owner.value;
    if (expires.value) body.expires = new Date(`${expires.value}T23:59:59`).toISOString();
    try {
      const created = await call("/v1/tokens", "POST", body);
      made.replaceChildren(h("p", {}, "This is the token. It is shown only now."),
        copyable("the new token", created.token));
      event.target.reset();
      reload();
    } catch (error) {
      made.replaceChildren(h("p", { class: "trouble" }, error.message));
    }
  } },
  h("p", {}, h("label", { for: "name" }, "Name"), name),
  isMaker ? h("p", {}, h("label", { for: "person" }, person.person ? "Person (you, if empty)" : "Person"), owner) : null,
  h("p", {}, h("label", { for: "expires" }, "Expires after"), expires),
  h("p", {}, h("button", { type: "submit" }, "Create")));
}
