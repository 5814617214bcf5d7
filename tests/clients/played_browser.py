"""The browser of a relying party's user, played by hand: it keeps cookies, follows redirects and fills in forms.

Serves authlib_client.py and apache_client.py. It sends the headers a browser sends with a form, and knows nothing of
Admit but the names of the fields that are typed into.
"""

import html.parser
import json
import sys
import traceback
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urldefrag, urljoin, urlsplit

import requests

STEPS = 12


def must(fact: object, what: str) -> None:
    """Ends the program unless `fact` holds."""
    if not fact:
        raise AssertionError(f"this must hold: {what}")


def run(program) -> None:
    """Runs the program: one JSON line with what it saw, or what went wrong and exit code 1."""
    try:
        print(json.dumps(program()))
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def without_query(url: str) -> str:
    return urldefrag(url).url.split("?")[0]


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Forms(html.parser.HTMLParser):
    """The first form of a page, and what the page complains of."""

    def __init__(self, page: str):
        super().__init__()
        self.form = None
        self.fields = []
        self.button = None
        self.alert = None
        self.state = "before"
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        if known.get("role") == "alert" and self.alert is None:
            self.alert = ""
        if tag == "form" and self.form is None:
            self.form, self.state = known, "inside"
        elif self.state == "inside" and tag == "input" and "name" in known:
            unchecked = known.get("type") in ("checkbox", "radio") and "checked" not in known
            if not unchecked:
                self.fields.append((known["name"], known.get("type", "text"), known.get("value") or ""))
        elif self.state == "inside" and tag == "button" and self.button is None:
            self.button = known

    def handle_data(self, data):
        if self.alert == "" and data.strip():
            self.alert = data.strip()

    def handle_endtag(self, tag):
        if tag == "form" and self.state == "inside":
            self.state = "after"


class PlayedBrowser:
    def __init__(self, typed: dict, ca: str):
        self.typed = typed
        self.seen = []
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = ca
        # Cookies of one port of 127.0.0.1 are sent to the others, as browsers do; nothing is looser than they are.
        self.session.cookies.set_policy(DefaultCookiePolicy(rfc2965=False, netscape=True, secure_protocols=("https",)))

    def visit(self, url: str, goal: str) -> str:
        """Opens `url` and does what the pages ask for until it is sent to `goal`; the address it was sent to."""
        found = self.browse(url, goal=goal)
        must(isinstance(found, str), f"the browser is sent to {goal}, and not shown a page: {self.seen}")
        return found

    def open(self, url: str) -> requests.Response:
        """Opens `url` and does what the pages ask for until there is a page without a form."""
        return self.browse(url, goal=None)

    def browse(self, url: str, goal: str | None):
        method, body, previous = "GET", None, None
        for _ in range(STEPS):
            answer = self.send(method, url, body, previous)
            previous = url
            if answer.is_redirect:
                url = urljoin(url, answer.headers["Location"])
                if goal is not None and without_query(url) == goal:
                    return url
                method, body = ("GET", None) if answer.status_code != 307 else (method, body)
                continue
            page = Forms(answer.text)
            if page.alert:
                raise AssertionError(f"the page complains: {page.alert}: {self.seen}")
            if answer.status_code >= 400 or (page.form is None and goal is not None):
                raise AssertionError(f"no form to fill in: {self.seen}\n{answer.text}")
            if page.form is None:
                return answer
            method, url, body = self.submission(page, url)
        raise AssertionError(f"{STEPS} pages and still not there: {self.seen}")

    def send(self, method, url, body, previous) -> requests.Response:
        headers = {
            "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
            "Accept-Language": "en",
            "User-Agent": "Mozilla/5.0 (played by hand)",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Site": "none",
        }
        if previous is not None:
            headers["Sec-Fetch-Site"] = "same-origin" if origin(previous) == origin(url) else "cross-site"
        if method == "POST":
            headers["Origin"] = origin(previous)
        answer = self.session.request(method, url, data=body, headers=headers, allow_redirects=False, timeout=30)
        self.seen.append(f"{method} {urlsplit(url).path} {answer.status_code}")
        return answer

    def submission(self, page: Forms, url: str):
        typed = {name: value for name, value in self.typed.items() if value is not None}
        fields = [
            (name, value if kind == "hidden" else typed.get(name, value)) for name, kind, value in page.fields
        ]
        if page.button is not None and "name" in page.button:
            fields.append((page.button["name"], page.button.get("value") or ""))
        must((page.form.get("method") or "get").lower() == "post", "forms are posted")
        return "POST", urljoin(url, page.form.get("action") or url), fields
