// Sign-in by the provider of the server, and the confirmation of a device's code.
import { call } from "./api.js";
import { h } from "./dom.js";

const CODE = "cato-device-code";

/** Return a link to the provider, or null where this server has no sign-in. */
export async function signInLink() {
  try {
    const { page } = await call("/v1/sign-in");
    return page && h("p", {}, h("a", { class: "button", href: page.path },
      `Sign in with ${new URL(page.issuer).host}`));
  } catch {
    return null;
  }
}

/** Keep the code of the address while the browser is with the provider; return it. */
export function deviceCode() {
  const [view, code] = location.hash.slice(1).split("=");
  if (view !== "device") return sessionStorage.getItem(CODE);
  sessionStorage.setItem(CODE, code ?? "");
  return code ?? "";
}

/** Return the view in which a person confirms a device. */
export function device() {
  const known = sessionStorage.getItem(CODE) ?? "";
  sessionStorage.removeItem(CODE);
  const code = h("input", {
    id: "code", required: true, maxlength: 9, autocomplete: "off", autocapitalize: "characters",
    spellcheck: "false", value: known, "aria-describedby": "code-help",
  });
  const answer = h("div", { "aria-live": "polite" });
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    answer.replaceChildren(await asked(code.value.trim(), answer));
  } },
  h("label", { for: "code" }, "Code"), code,
  h("p", { id: "code-help", class: "quiet" },
    "Your editor or terminal shows it. Enter a code only if you have asked for it yourself."),
  h("button", { type: "submit" }, "Continue"));
  return { elements: [h("section", { class: "card narrow" }, h("h2", {}, "Sign in a device"), form, answer)] };
}

async function asked(code, answer) {
  const path = `/v1/sign-in/devices/${encodeURIComponent(code)}`;
  let found;
  try {
    found = await call(path);
  } catch (error) {
    return h("p", { class: "trouble" }, error.message);
  }
  const decide = (confirmed, text) => async () => {
    try {
      await call(path, "POST", { confirmed });
      answer.replaceChildren(h("p", {}, text));
    } catch (error) {
      answer.replaceChildren(h("p", { class: "trouble" }, error.message));
    }
  };
  return h("div", {},
    h("p", {}, `${found.client || "A device"} at ${found.address} asks to use this server as you, with the code `,
      h("code", {}, found.user_code), "."),
    h("p", { class: "row" },
      h("button", { type: "button", onclick: decide(true, "Done. Go back to your editor; you can close this page.") }, "Confirm"),
      h("button", { type: "button", class: "plain", onclick: decide(false, "The device was refused.") }, "Refuse")));
}
