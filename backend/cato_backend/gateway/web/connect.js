// Lines to copy for each editor, with this server's own address.
import { card, copyable, h } from "./dom.js";

export function connect({ needsToken: isAsked, signsIn }) {
  const url = location.origin;
  // An editor that signs in has its token already.
  const needsToken = isAsked && !signsIn;
  return { elements: [signsIn ? signInIntro(url) : intro(needsToken), ...EDITORS.map(([title, text, ...blocks]) =>
    card(title, h("p", {}, text), ...blocks.map(([label, lines]) =>
      copyable(`${title}: ${label}`, lines(url, needsToken)))))] };
}

function signInIntro(url) {
  return card("Sign in", h("p", {}, "Once on each machine, in a terminal; VS Code has \"CATO: Sign In to Backend\", "
    + "Neovim :CatoSignIn. You confirm a code on this page. For other clients make a token."),
  copyable("sign in", `cato sign-in --url ${url}`));
}

function intro(needsToken) {
  const text = "This server needs a token. Keep it in a file that only you can read; the lines below read it there.";
  return needsToken
    ? card("Your token", h("p", {}, text), copyable("the token's file", [
      "mkdir -p ~/.config/cato && touch ~/.config/cato/token && chmod 600 ~/.config/cato/token",
      "# then write the token into ~/.config/cato/token with your editor",
    ].join("\n")))
    : card("No token is needed", h("p", {}, "This server takes requests without one."));
}

const withToken = (needsToken, ...lines) => (needsToken ? lines : []);
const lines = (...parts) => parts.flat().join("\n");
const READ = "$(cat ~/.config/cato/token)";

const EDITORS = [
  ["VS Code", "Install the extension cato-*.vsix, which \"make vsix\" builds in a checkout. Then this in settings.json; "
    + "the command \"CATO: Set Backend Token\" keeps the token in VS Code's secret storage.",
  ["settings.json", (url) => `"cato.backend.url": "${url}"`]],
  ["Neovim 0.12", "With cato-lsp on PATH, in init.lua:",
    ["init.lua", (url, needsToken) => lines(
      "vim.lsp.config('cato', {",
      "  cmd = { 'cato-lsp', '--stdio' },",
      "  filetypes = { 'python', 'javascript', 'typescript', 'go', 'rust', 'java', 'c', 'cpp' },",
      "  settings = { cato = { backend = {",
      `    url = '${url}',`,
      withToken(needsToken, "    token = vim.fn.readfile(vim.fs.normalize('~/.config/cato/token'))[1],"),
      "  } } },",
      "})",
      "vim.lsp.enable('cato')",
      "vim.lsp.inline_completion.enable()",
      "vim.keymap.set('i', '<Tab>', function()",
      "  if not vim.lsp.inline_completion.get() then return '<Tab>' end",
      "end, { expr = true })")]],
  ["Helix", "In ~/.config/helix/languages.toml, beside the servers that you use already. The token comes from the "
    + "environment in which Helix is started.",
  ["languages.toml", (url) => lines(
    "[language-server.cato]", "command = \"cato-lsp\"", "args = [\"--stdio\"]",
    `config = { backend = { url = "${url}" } }`, "",
    "[[language]]", "name = \"python\"", "language-servers = [\"cato\"]")],
  ["shell", (url, needsToken) => lines(withToken(needsToken, `export CATO_BACKEND_TOKEN="${READ}"`), "hx")]],
  ["Emacs", "With eglot, which is part of Emacs 29; then M-x eglot.",
    ["init.el", (url, needsToken) => lines(
      "(with-eval-after-load 'eglot",
      "  (add-to-list 'eglot-server-programs '((python-mode python-ts-mode) . (\"cato-lsp\" \"--stdio\"))))",
      `(setq-default eglot-workspace-configuration '(:cato (:backend (:url "${url}"))))`,
      withToken(needsToken, "(setenv \"CATO_BACKEND_TOKEN\"",
        "        (string-trim (with-temp-buffer (insert-file-contents \"~/.config/cato/token\") (buffer-string))))"))]],
  ["Zed", "As an OpenAI client, in settings.json. The token is in ZED_OPEN_AI_COMPATIBLE_EDIT_PREDICTION_API_KEY.",
    ["settings.json", (url) => lines(
      "\"edit_predictions\": {", "  \"provider\": \"open_ai_compatible_api\",", "  \"open_ai_compatible_api\": {",
      `    "api_url": "${url}/v1/completions",`,
      "    \"model\": \"cato\", \"prompt_format\": \"qwen\", \"max_output_tokens\": 256", "  }", "}")]],
  ["curl", "What stands behind the cursor comes as the suffix.",
    ["shell", (url, needsToken) => lines(
      `curl ${url}/v1/completions -H 'Content-Type: application/json' \\`,
      withToken(needsToken, `  -H "Authorization: Bearer ${READ}" \\`),
      "  -d '{\"model\": \"cato\", \"max_tokens\": 32, \"stop\": [\"\\n\"],",
      "       \"prompt\": \"def mean(values):\\n    return \",",
      "       \"suffix\": \"\\n\\nprint(mean([1, 2]))\\n\"}'")]],
];
