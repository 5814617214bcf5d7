// How every program of this folder starts: its options, the trusted CA, and the npm packages `tests/run` installed.
//
// A CA can be given to Node.js only before it starts, so the program starts itself once more with it. Packages are not
// beside the sources but where ADMIT_TEST_NODE says, and an import looks only beside the file that imports.

import { spawnSync } from "node:child_process";
import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

// Debian's Node.js 18 keeps Web Crypto out of the global names.
globalThis.crypto ??= webcrypto;

/** What every program must be told. */
export const PARTY = ["issuer", "client-id", "client-secret", "redirect-uri", "after-logout", "username", "password"];

const SCOPE = "openid profile email offline_access";

/** The options after the program's name; `names` and the CA must be given. */
export function options(names, optional = {}) {
  const described = Object.fromEntries([...names, "ca", "scope", "tenant"].map((name) => [name, { type: "string" }]));
  Object.assign(described, optional);
  const { values, positionals } = parseArgs({ options: described, allowPositionals: true });
  const missing = [...names, "ca"].filter((name) => values[name] === undefined);
  if (missing.length > 0) {
    console.error(`missing: ${missing.map((name) => `--${name}`).join(" ")}`);
    process.exit(2);
  }
  trust(values.ca);
  return { scope: SCOPE, ...values, positionals };
}

function trust(ca) {
  if (process.env.NODE_EXTRA_CA_CERTS === ca) return;
  const again = spawnSync(process.execPath, process.argv.slice(1), {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: ca },
    stdio: "inherit",
  });
  process.exit(again.status ?? 1);
}

/** An installed package. */
export function installed(name) {
  const folder = process.env.ADMIT_TEST_NODE;
  if (folder === undefined) throw new Error("ADMIT_TEST_NODE must name the folder tests/run installed into");
  return import(pathToFileURL(createRequire(join(folder, "package.json")).resolve(name)));
}

/** Ends the program unless `fact` holds. */
export function must(fact, what) {
  if (!fact) throw new Error(`this must hold: ${what}`);
}

/** Runs the program: one JSON line with what it saw, or what went wrong and exit code 1. */
export async function run(program) {
  try {
    const seen = await program();
    // An open connection must not keep the program alive, nor a full pipe cut its answer.
    process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`, () => process.exit(1));
  }
}

function describe(error) {
  const facts = Object.entries(error ?? {}).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`);
  const cause = error?.cause === undefined ? "" : `\ncaused by ${describe(error.cause)}`;
  return [error?.stack ?? String(error), ...facts].join("\n") + cause;
}
