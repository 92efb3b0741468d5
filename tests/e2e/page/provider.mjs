// A provider of sign-ins for the tests: node-oidc-provider, as it is certified, with its own pages.
// Arguments: the folder of its packages, and the redirect URI of the only client.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , folder, redirectUri] = process.argv;
const from = createRequire(`${folder}/`);
const { default: Provider } = await import(pathToFileURL(from.resolve("oidc-provider")));

const claimsOf = (id) => ({
  sub: id,
  email: `${id}@example.com`,
  email_verified: !id.startsWith("unverified"),
  groups: id === "ada" ? ["compilers", "cato-admins"] : ["compilers"],
});

const provider = new Provider("http://127.0.0.1:0", {
  clients: [{
    client_id: "cato", client_secret: "a-secret-of-the-client", redirect_uris: [redirectUri],
  }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
  scopes: ["openid", "email", "groups"],
  cookies: { keys: ["a-key-of-the-tests"] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => claimsOf(id) }),
});
const server = provider.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  provider.issuer = url;
  console.log(url);
});
