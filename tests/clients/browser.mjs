// A real browser, Debian's Chromium without a window, before our pages.
//
//     node browser.mjs SCENARIO --issuer URL --ca FILE --client-id ID --client-secret SECRET --redirect-uri URL
//          --after-logout URL --username NAME --password PASSWORD [--tenant NAME] [--scope SCOPE]
//          [--new-password PASSWORD] [--sign-out URL]... [--folder FOLDER]
//
// The two redirect URIs are of one loopback port, where this program listens. Another site's pages are served at a
// second port of 127.0.0.1, which is another site than localhost. It knows the names of the fields of our pages, that
// they complain in an element of role alert, and what `autocomplete` says of a password field.

import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { connect } from "node:tls";

import { installed, must, options, PARTY, run } from "./start.mjs";

const told = options(PARTY, {
  "new-password": { type: "string" },
  "sign-out": { type: "string", multiple: true },
  folder: { type: "string" },
});
const [scenario] = told.positionals;

const SCENARIOS = { "sign-in": signIn, expired, "sign-out": signOut, frame, "cross-site": crossSite, screenshots };

/** Everything a scenario needs: the browser, the provider's metadata, and the other site. */
let browser, metadata, otherSite;

run(async () => {
  must(scenario in SCENARIOS, `the scenario is one of ${Object.keys(SCENARIOS).join(", ")}`);
  const answer = await fetch(`${told.issuer}/.well-known/openid-configuration`);
  metadata = await answer.json();
  await serve(new URL(told["redirect-uri"]).port, () => "<!doctype html><title>back</title>back");
  otherSite = await serve(0, (url) => url.searchParams.get("page") ?? "<!doctype html><title>other</title>other");
  browser = await start();
  try {
    return { scenario, ...(await SCENARIOS[scenario]()) };
  } finally {
    await browser.close();
  }
});

async function serve(port, page) {
  const server = createServer((asked, answer) => {
    const url = new URL(asked.url, "http://127.0.0.1");
    answer.setHeader("content-type", "text/html; charset=utf-8");
    answer.end(page(url));
  });
  server.listen(Number(port), "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

async function start() {
  const { default: puppeteer } = await installed("puppeteer-core");
  const flags = [
    // The one certificate that this process has checked against the CA it was given.
    `--ignore-certificate-errors-spki-list=${await fingerprint()}`,
    "--disable-dev-shm-usage",
    "--no-proxy-server",
  ];
  if (process.getuid() === 0) flags.push("--no-sandbox");
  const executablePath = process.env.ADMIT_TEST_CHROMIUM ?? "/usr/bin/chromium";
  return puppeteer.launch({ executablePath, args: flags });
}

async function fingerprint() {
  const { hostname, port } = new URL(told.issuer);
  const socket = connect({ host: hostname, port: port || 443, servername: hostname });
  await once(socket, "secureConnect");
  const key = new X509Certificate(socket.getPeerCertificate().raw).publicKey;
  socket.destroy();
  return createHash("sha256").update(key.export({ type: "spki", format: "der" })).digest("base64");
}

// What people do.

/** A page in a browser of its own, without scripts: our pages need none. */
async function newcomer(at = {}) {
  const context = await browser.createBrowserContext();
  return open(context, at);
}

async function open(context, { scripts = false } = {}) {
  const page = await context.newPage();
  await page.setJavaScriptEnabled(scripts);
  page.complaints = [];
  page.on("console", (message) => {
    if (/Content.Security.Policy|Refused to/i.test(message.text())) page.complaints.push(message.text());
  });
  return page;
}

function authorizeUrl(more = {}) {
  const verifier = randomBytes(32).toString("base64url");
  const url = new URL(metadata.authorization_endpoint);
  const asked = {
    response_type: "code",
    client_id: told["client-id"],
    redirect_uri: told["redirect-uri"],
    scope: told.scope,
    state: randomBytes(8).toString("hex"),
    nonce: randomBytes(8).toString("hex"),
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...more,
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  return { href: url.href, state: asked.state, verifier };
}

async function type(page, name, text) {
  const field = await page.$(`input[name="${name}"]`);
  must(field !== null, `the page has a field ${name}: ${page.url()}`);
  // Chosen whole first, so that what stands there is replaced.
  await field.click({ count: 3 });
  await field.press("Delete");
  await field.type(text);
}

async function submit(page) {
  const button = await page.$("form button[type=submit], form button:not([type]), form input[type=submit]");
  must(button !== null, `the page's form has a button: ${page.url()}`);
  await Promise.all([page.waitForNavigation(), button.click()]);
}

async function enter(page, password) {
  if (told.tenant !== undefined) await type(page, "tenant", told.tenant);
  await type(page, "username", told.username);
  await type(page, "password", password);
  await submit(page);
  await agree(page);
}

/** Says yes where a page of ours asks a question that is no password: the first button does. */
async function agree(page) {
  if (isOurs(page) && (await page.$("form")) && !(await page.$("input[type=password]"))) await submit(page);
}

const isOurs = (page) => new URL(page.url()).origin === new URL(told.issuer).origin;

async function fillInChange(page) {
  const fields = await page.$$("input[type=password]");
  for (const field of fields) {
    const kind = await field.evaluate((element) => element.autocomplete);
    must(["current-password", "new-password"].includes(kind), `a password field says which it is, not ${kind}`);
    await field.type(kind === "new-password" ? told["new-password"] : told.password);
  }
  await submit(page);
  await agree(page);
}

const complaint = (page) => page.$eval("[role=alert]", (element) => element.textContent.trim()).catch(() => "");

/** What the callback was given, and that the browser is there. */
function landed(page, state) {
  const url = new URL(page.url());
  must(url.href.startsWith(told["redirect-uri"]), `the browser is at the callback, not at ${page.url()}`);
  const answer = Object.fromEntries(url.searchParams);
  must(answer.state === state, "the state comes back");
  must(answer.iss === told.issuer, "the answer names its issuer");
  return answer;
}

async function signedIn(at = {}) {
  const page = await newcomer(at);
  const { href, state, verifier } = authorizeUrl();
  await page.goto(href);
  await enter(page, told.password);
  const { code } = landed(page, state);
  must(code !== undefined, `there is a code: ${page.url()}`);
  return { page, code, verifier };
}

/** Whether this browser has a session, by asking for a code without a page. */
async function hasSession(page) {
  const other = await open(page.browserContext());
  const { href, state } = authorizeUrl({ prompt: "none" });
  await other.goto(href);
  const { code, error } = landed(other, state);
  await other.close();
  must(code !== undefined || error === "login_required", `a code or login_required, not ${error}`);
  return code !== undefined;
}

async function ours(page) {
  const cookies = await page.browserContext().cookies();
  return cookies.filter((cookie) => cookie.domain === new URL(told.issuer).hostname);
}

const described = ({ name, secure, httpOnly, sameSite, path }) => ({ name, secure, httpOnly, sameSite, path });

/** What a screen reader and a keyboard rely on. */
function reachable(page) {
  return page.evaluate(() => ({
    language: document.documentElement.lang,
    title: document.title,
    headings: document.querySelectorAll("h1").length,
    main: document.querySelectorAll("main").length,
    unlabelled: [...document.querySelectorAll("input:not([type=hidden])")]
      .filter((field) => field.labels.length === 0 && !field.ariaLabel)
      .map((field) => field.name),
    scripts: document.scripts.length,
  }));
}

// The scenarios.

async function signIn() {
  const page = await newcomer();
  const { href, state } = authorizeUrl();
  await page.goto(href);
  const reached = await reachable(page);
  await enter(page, `${told.password} but wrong`);
  must((await page.$("input[name=password]")) !== null, `a wrong password leads back to the form: ${page.url()}`);
  const refusal = await complaint(page);
  must(refusal !== "", "a wrong password is refused with a message");
  must(!(await hasSession(page)), "a wrong password gives no session");
  const kept = await page.$eval("input[name=password]", (field) => field.value);
  must(kept === "", "the page does not repeat the password");
  await enter(page, told.password);
  const { code } = landed(page, state);
  must(code !== undefined, "the right password gives a code");
  must(await hasSession(page), "and a session");
  // The same by keyboard alone: the first field has the focus or is the first that Tab reaches.
  const byKeyboard = await newcomer();
  const again = authorizeUrl();
  await byKeyboard.goto(again.href);
  await focus(byKeyboard, "username");
  await byKeyboard.keyboard.type(told.username);
  await focus(byKeyboard, "password");
  await byKeyboard.keyboard.type(told.password);
  await Promise.all([byKeyboard.waitForNavigation(), byKeyboard.keyboard.press("Enter")]);
  await agree(byKeyboard);
  must(landed(byKeyboard, again.state).code !== undefined, "signing in works by keyboard");
  must(page.complaints.length === 0, `the page keeps to its own policy: ${page.complaints}`);
  return { reached, refusal, cookies: (await ours(page)).map(described) };
}

async function focus(page, name) {
  const at = () => page.evaluate(() => document.activeElement?.getAttribute("name"));
  for (let presses = 0; presses < 12; presses += 1) {
    if ((await at()) === name) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the Tab key does not reach ${name}`);
}

async function expired() {
  must(told["new-password"] !== undefined, "--new-password is given");
  const page = await newcomer();
  const { href, state } = authorizeUrl();
  await page.goto(href);
  await enter(page, told.password);
  must((await page.$("input[autocomplete=new-password]")) !== null, `a new password is asked for: ${page.url()}`);
  must(!(await hasSession(page)), "an expired password gives no session");
  const reached = await reachable(page);
  await fillInChange(page);
  must(landed(page, state).code !== undefined, `the change leads on to the callback: ${await complaint(page)}`);

  const later = await newcomer();
  const again = authorizeUrl();
  await later.goto(again.href);
  await enter(later, told.password);
  must((await complaint(later)) !== "", "the old password is refused");
  await enter(later, told["new-password"]);
  must(landed(later, again.state).code !== undefined, "the new password is taken");
  must(page.complaints.length === 0, `the page keeps to its own policy: ${page.complaints}`);
  return { reached };
}

async function idToken(code, verifier) {
  const encoded = [told["client-id"], told["client-secret"]].map(encodeURIComponent).join(":");
  const answer = await fetch(metadata.token_endpoint, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(encoded).toString("base64")}` },
    body: new URLSearchParams({
      grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: told["redirect-uri"],
    }),
  });
  const token = await answer.json();
  must(token.id_token !== undefined, `the code gives an ID token: ${JSON.stringify(token)}`);
  return token.id_token;
}

async function signOut() {
  const { page, code, verifier } = await signedIn();
  const url = new URL(metadata.end_session_endpoint);
  url.searchParams.set("id_token_hint", await idToken(code, verifier));
  url.searchParams.set("post_logout_redirect_uri", told["after-logout"]);
  url.searchParams.set("state", "left");
  await page.goto(url.href);
  if (await page.$("form")) await submit(page);
  must(page.url() === `${told["after-logout"]}?state=left`, `the browser is sent back, not to ${page.url()}`);
  must(!(await hasSession(page)), "the session is over");

  const { page: asked } = await signedIn();
  await asked.goto(metadata.end_session_endpoint);
  const question = await reachable(asked);
  if (await asked.$("form")) {
    must(await hasSession(asked), "a question is not yet a sign-out");
    await submit(asked);
  }
  const told_so = await asked.$eval("body", (body) => body.innerText.trim());
  must(isOurs(asked) && told_so !== "", "people are told they left");
  must(!(await hasSession(asked)), "the session is over without a hint as well");
  return { question, page: told_so };
}

/** A page of the other site. */
const foreign = (body) => `${otherSite}/?page=${encodeURIComponent(`<!doctype html><title>other</title>${body}`)}`;

const quoted = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");

async function frame() {
  const blank = [];
  const signOutPage = metadata.end_session_endpoint;
  for (const target of [authorizeUrl().href, signOutPage]) {
    for (const element of [`<iframe src="${quoted(target)}">`, `<object data="${quoted(target)}">`]) {
      const { page } = await signedIn({ scripts: true });
      const outer = target === signOutPage ? page : await newcomer({ scripts: true });
      await outer.goto(foreign(element), { waitUntil: "networkidle0" });
      const inner = outer.frames().slice(1);
      for (const child of inner) {
        const at = await child.evaluate(() => location.href);
        const refused = ["chrome-error://chromewebdata/", "about:blank"].includes(at);
        must(refused && (await child.$("form")) === null, `the frame stays blank, and is not at ${at}`);
      }
      blank.push(`${element.slice(1, 7)} ${new URL(target).pathname}: ${inner.map((child) => child.url())}`);
    }
  }
  // That a frame is seen at all, or the above would say nothing.
  const control = await newcomer({ scripts: true });
  await control.goto(foreign(`<iframe src="${quoted(foreign("<h1>seen</h1>"))}">`), { waitUntil: "networkidle0" });
  const seen = await control.frames()[1].evaluate(() => document.querySelector("h1").textContent);
  must(seen === "seen", "a page that may be framed is shown in a frame");
  return { blank };
}

/** A page of the other site that posts these fields as soon as it is there. */
function posting(action, fields, head = "") {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${quoted(name)}" value="${quoted(value)}">`,
  );
  const form = `<form method="post" action="${quoted(action)}">${inputs.join("")}</form>`;
  return foreign(`${head}${form}<script>document.forms[0].submit()</script>`);
}

const readForm = (page) =>
  page.$eval("form", (form) => ({
    action: form.action,
    fields: Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string")),
  }));

/** Opens a page of the other site that sends the browser on by itself, and waits until it has. */
async function visitForeign(page, url) {
  // The page may be gone before it counts as loaded.
  await page.goto(url, { waitUntil: "domcontentloaded" }).catch(() => {});
  const arrived = (other) => !location.href.startsWith(other) && document.readyState === "complete";
  await page.waitForFunction(arrived, {}, otherSite);
}

async function crossSite() {
  return { signIn: await crossSiteSignIn(), signOut: await crossSiteSignOut() };
}

async function crossSiteSignIn() {
  const attacker = await newcomer();
  await attacker.goto(authorizeUrl().href);
  const { action, fields } = await readForm(attacker);
  const right = { ...fields, username: told.username, password: told.password };
  if (told.tenant !== undefined) right.tenant = told.tenant;
  const bare = { username: right.username, password: right.password, tenant: told.tenant ?? "" };
  const unnamed = '<meta name="referrer" content="no-referrer">';
  const tries = { bare: [bare], "the attacker's form token": [right], "without an origin": [right, unnamed] };
  const seen = [];
  for (const [name, [posted, head]] of Object.entries(tries)) {
    for (const known of [false, true]) {
      const victim = await newcomer({ scripts: true });
      if (known) await victim.goto(authorizeUrl().href);
      await visitForeign(victim, posting(action, posted, head));
      const cookies = (await ours(victim)).map((cookie) => cookie.name);
      must(!(await hasSession(victim)), `no sign-in from another site: ${name}`);
      must(!cookies.some((cookie) => cookie.includes("session")), `no session cookie: ${name}: ${cookies}`);
      seen.push(`${name}${known ? ", form seen before" : ""}: ${new URL(victim.url()).pathname}`);
      await victim.browserContext().close();
    }
  }
  return seen;
}

async function crossSiteSignOut() {
  const attacker = (await signedIn()).page;
  await attacker.goto(metadata.end_session_endpoint);
  const question = (await attacker.$("form")) === null ? undefined : await readForm(attacker);
  const targets = [metadata.end_session_endpoint, ...(told["sign-out"] ?? [])];
  const victim = (await signedIn({ scripts: true })).page;
  const seen = [];
  const survived = async (what) => {
    must(await hasSession(victim), `no sign-out from another site: ${what}`);
    seen.push(what);
  };
  for (const target of targets) {
    const { pathname } = new URL(target);
    await victim.goto(foreign(`<img src="${quoted(target)}">`), { waitUntil: "networkidle0" });
    await survived(`image ${pathname}`);
    await victim.goto(foreign(`<iframe src="${quoted(target)}">`), { waitUntil: "networkidle0" });
    await survived(`frame ${pathname}`);
    await victim.goto(foreign(""));
    const unread = { method: "POST", mode: "no-cors", credentials: "include" };
    await victim.evaluate((url, how) => fetch(url, how).catch(() => {}), target, unread);
    await survived(`fetch ${pathname}`);
    await visitForeign(victim, foreign(`<script>location = ${JSON.stringify(target).replaceAll("<", "\\u003c")}</script>`));
    await survived(`link ${pathname}`);
    await visitForeign(victim, posting(target, {}));
    await survived(`form ${pathname}`);
    await visitForeign(victim, posting(target, { id_token_hint: "x", state: "y" }));
    await survived(`form with members ${pathname}`);
  }
  if (question !== undefined) {
    await visitForeign(victim, posting(question.action, question.fields));
    await survived("the attacker's own answer to the question");
  }
  return seen;
}

async function screenshots() {
  must(told.folder !== undefined, "--folder is given");
  mkdirSync(told.folder, { recursive: true });
  const taken = [];
  const take = async (page, name) => {
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      for (const [size, width, height] of [["wide", 1280, 800], ["phone", 360, 740]]) {
        await page.setViewport({ width, height, deviceScaleFactor: 2 });
        const needed = await page.evaluate(() => document.scrollingElement.scrollWidth);
        must(needed <= width, `${name} fits into ${width} px, and needs ${needed}`);
        const file = `${name}.${scheme}.${size}.png`;
        await page.screenshot({ path: join(told.folder, file), fullPage: true });
        taken.push(file);
      }
    }
  };
  const page = await newcomer();
  await page.goto(authorizeUrl().href);
  await take(page, "sign-in");
  await enter(page, `${told.password} but wrong`);
  await take(page, "refused");
  await enter(page, told.password);
  if (await page.$("input[autocomplete=new-password]")) {
    await take(page, "change-password");
    return { taken };
  }
  await page.goto(authorizeUrl({ prompt: "consent" }).href);
  if (isOurs(page)) await take(page, "consent");
  await page.goto(authorizeUrl({ redirect_uri: "https://elsewhere.example/callback" }).href);
  await take(page, "error");
  await page.goto(metadata.end_session_endpoint);
  if (await page.$("form")) {
    await take(page, "sign-out");
    await submit(page);
  }
  await take(page, "signed-out");
  return { taken };
}
