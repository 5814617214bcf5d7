// The browser of a relying party's user, played by hand: it keeps cookies, follows redirects and fills in forms.
//
// It judges cookies as strictly as a browser does (RFC 6265bis), sends the headers a browser sends with a form, and
// knows nothing of Admit but the names of the fields that are typed into.

import { request } from "node:https";

const STEPS = 12;

export class PlayedBrowser {
  #cookies = new Map();

  /** `typed` maps the name of a field to what its user types there. */
  constructor(typed) {
    this.typed = typed;
    this.seen = [];
  }

  /** Opens `url` and does what the pages ask for until the browser is sent to `goal`; the address it was sent to. */
  async visit(url, goal) {
    let wanted = { method: "GET", url: new URL(url) };
    for (let step = 0; step < STEPS; step += 1) {
      const answer = await this.#send(wanted);
      this.seen.push(`${wanted.method} ${wanted.url.pathname} ${answer.status}`);
      const location = answer.headers.location;
      if (location !== undefined) {
        const target = new URL(location, wanted.url);
        if (target.href.split(/[?#]/)[0] === goal) return target;
        wanted = { method: answer.status === 307 ? wanted.method : "GET", url: target, from: wanted.url };
      } else {
        wanted = this.#submission(answer, wanted.url);
      }
    }
    throw new Error(`${STEPS} pages and still not at ${goal}: ${this.seen.join(", ")}`);
  }

  cookieNames() {
    return [...this.#cookies.keys()];
  }

  #send({ method, url, body, from }) {
    const headers = {
      accept: "text/html,application/xhtml+xml,*/*;q=0.8",
      "accept-language": "en",
      "user-agent": "Mozilla/5.0 (played by hand)",
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": "document",
      "sec-fetch-site": from === undefined ? "none" : from.origin === url.origin ? "same-origin" : "cross-site",
    };
    const cookies = [...this.#cookies].map(([name, value]) => `${name}=${value}`);
    if (cookies.length > 0) headers.cookie = cookies.join("; ");
    if (body !== undefined) {
      headers["content-type"] = "application/x-www-form-urlencoded";
      headers["content-length"] = Buffer.byteLength(body);
      headers.origin = from.origin;
    }
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers }, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          for (const line of answer.headers["set-cookie"] ?? []) this.#keep(line);
          const text = Buffer.concat(parts).toString("utf8");
          resolve({ status: answer.statusCode, headers: answer.headers, text });
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  #keep(line) {
    const [pair, ...attributes] = line.split(";").map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf("="));
    const value = pair.slice(pair.indexOf("=") + 1);
    const known = new Map(attributes.map((part) => part.toLowerCase().split("=")));
    if (name.startsWith("__Host-") && (!known.has("secure") || known.get("path") !== "/" || known.has("domain"))) {
      throw new Error(`a browser refuses this cookie: ${name}; ${attributes.join("; ")}`);
    }
    const expires = Date.parse(attributes.find((part) => /^expires=/i.test(part))?.slice(8));
    if (Number(known.get("max-age") ?? 1) <= 0 || expires <= Date.now()) this.#cookies.delete(name);
    else this.#cookies.set(name, value);
  }

  /** The request that the page's form makes when its user has typed and pressed its button. */
  #submission(answer, url) {
    const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(answer.text);
    if (answer.status >= 400 || form === null) {
      throw new Error(`no form to fill in: ${this.seen.join(", ")}\n${answer.text}`);
    }
    const alert = /<[^>]*role="?alert"?[^>]*>([\s\S]*?)<\//i.exec(answer.text);
    if (alert !== null) throw new Error(`the page complains: ${alert[1].trim()}`);
    const [, opening, inside] = form;
    const fields = new URLSearchParams();
    for (const [tag] of inside.matchAll(/<input\b[^>]*>/gi)) {
      const name = attribute(tag, "name");
      const type = attribute(tag, "type") ?? "text";
      if (name === undefined || (["checkbox", "radio"].includes(type) && !/\bchecked\b/i.test(tag))) continue;
      const value = attribute(tag, "value") ?? "";
      fields.append(name, type === "hidden" ? value : (this.typed[name] ?? value));
    }
    const button = /<button\b[^>]*>/i.exec(inside)?.[0];
    if (button !== undefined && attribute(button, "name") !== undefined) {
      fields.append(attribute(button, "name"), attribute(button, "value") ?? "");
    }
    const action = new URL(attribute(opening, "action") || url.href, url);
    const method = (attribute(opening, "method") ?? "get").toUpperCase();
    if (method === "POST") return { method, url: action, body: fields.toString(), from: url };
    action.search = fields.toString();
    return { method, url: action, from: url };
  }
}

function attribute(tag, name) {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, "i").exec(tag);
  const value = found?.[1] ?? found?.[2] ?? found?.[3];
  return value === undefined ? undefined : unescape(value);
}

const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescape(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return NAMED[name] ?? whole;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
