// The npm package openid-client as a relying party: discovery, login, refresh, user info, logout.
//
//     node openid_client.mjs --issuer URL --ca FILE --client-id ID --client-secret SECRET --redirect-uri URL
//          --after-logout URL --username NAME --password PASSWORD [--tenant NAME] [--scope SCOPE]
//
// The package checks what a certified relying party checks; this file only asks it to, and plays its user's browser.

import { PlayedBrowser } from "./played_browser.mjs";
import { installed, must, options, PARTY, run } from "./start.mjs";

const told = options(PARTY);

async function login(client, config, browser, more = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: told["redirect-uri"],
    scope: told.scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
    ...more,
  });
  const callback = await browser.visit(url, told["redirect-uri"]);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  return { callback, checks };
}

run(async () => {
  const client = await installed("openid-client");
  const config = await client.discovery(
    new URL(told.issuer), told["client-id"], {}, client.ClientSecretBasic(told["client-secret"]),
  );
  // Without this the package leaves signatures to the TLS connection, as OpenID Connect Core §3.1.3.7 allows.
  client.enableNonRepudiationChecks(config);
  const metadata = config.serverMetadata();
  must(metadata.issuer === told.issuer, `the issuer is ${told.issuer}`);
  must(metadata.supportsPKCE(), "S256 is announced");

  const typed = { username: told.username, password: told.password, tenant: told.tenant };
  const browser = new PlayedBrowser(typed);
  const { callback, checks } = await login(client, config, browser);
  const first = await client.authorizationCodeGrant(config, callback, checks);
  const claims = first.claims();
  const before = await client.fetchUserInfo(config, first.access_token, claims.sub);

  must(first.refresh_token !== undefined, "there is a refresh token");
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  must(second.access_token !== first.access_token, "a refresh gives another access token");
  must(second.refresh_token !== first.refresh_token, "a refresh gives another refresh token");
  const again = second.claims();
  must(again === undefined || again.sub === claims.sub, "a refreshed ID token is of the same user");
  must(again?.auth_time === undefined || again.auth_time === claims.auth_time, "a refresh is no new sign-in");
  const after = await client.fetchUserInfo(config, second.access_token, claims.sub);
  must(JSON.stringify(after) === JSON.stringify(before), "user info is the same with either token");

  // Signed in, nobody is asked again.
  const silent = await login(client, config, browser, { prompt: "none" });
  const third = await client.authorizationCodeGrant(config, silent.callback, silent.checks);
  must(third.claims().sub === claims.sub, "prompt=none is answered for the same user");

  const logout = client.buildEndSessionUrl(config, {
    id_token_hint: first.id_token,
    post_logout_redirect_uri: told["after-logout"],
    state: "after & logout",
  });
  const left = await browser.visit(logout, told["after-logout"]);
  must(left.searchParams.get("state") === "after & logout", "the state of the logout comes back");

  const gone = await login(client, config, browser, { prompt: "none" });
  const refused = await client.authorizationCodeGrant(config, gone.callback, gone.checks).catch((error) => error);
  must(refused.error === "login_required", `after the logout there is no session: ${gone.callback}`);

  return {
    party: "openid-client",
    issuer: metadata.issuer,
    sub: claims.sub,
    id_token: claims,
    userinfo: before,
    scope: first.scope ?? null,
    expires_in: first.expires_in ?? null,
    refreshed: true,
    refreshed_id_token: again ?? null,
    after_logout: refused.error,
    cookies: browser.cookieNames(),
    pages: browser.seen,
  };
});
