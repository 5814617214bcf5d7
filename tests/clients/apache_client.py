"""Debian's libapache2-mod-auth-openidc in a real Apache as a relying party: a protected page, refresh, logout.

    python apache_client.py --issuer URL --ca FILE --client-id ID --client-secret SECRET --port PORT
        --username NAME --password PASSWORD [--tenant NAME]

The client must be registered with the redirect URI http://127.0.0.1:PORT/oidc/callback and the post-logout redirect
URI http://127.0.0.1:PORT/bye. What the module knows is read through its own information hook. Apache's log is shown when
something fails.
"""

import argparse
import html
import json
import os
import secrets
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import requests

from played_browser import PlayedBrowser, must, run

HERE = Path(__file__).resolve().parent / "apache"
MODULES = "/usr/lib/apache2/modules"
READY_WITHIN = 20
REQUIRED = ("issuer", "ca", "client-id", "client-secret", "port", "username", "password")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in REQUIRED:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--tenant")
    return parser.parse_args()


class Apache:
    """`apache2` in the foreground, in a folder that goes with it."""

    def __init__(self, told: argparse.Namespace):
        self.url = f"http://127.0.0.1:{told.port}"
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "site").mkdir()
        shutil.copy(HERE / "index.shtml", self.folder / "site")
        (self.folder / "site" / "bye").write_text("bye")
        # Apache started by root works as somebody else, who must be able to read the folder.
        root = os.geteuid() == 0
        if root:
            shutil.chown(self.folder, "www-data", "www-data")
            os.chmod(self.folder, 0o755)
        ca = shutil.copy(told.ca, self.folder / "ca.pem")
        os.chmod(ca, 0o644)
        values = {
            "folder": self.folder,
            "port": told.port,
            "owner": "User www-data\nGroup www-data" if root else "",
            "modules": MODULES,
            "metadata": f"{told.issuer}/.well-known/openid-configuration",
            "client_id": told.client_id,
            "client_secret": json.dumps(told.client_secret),
            "ca": ca,
            "redirect_uri": f"{self.url}/oidc/callback",
            "passphrase": secrets.token_hex(16),
        }
        config = self.folder / "site.conf"
        config.write_text(string.Template((HERE / "site.conf").read_text()).substitute(values))
        self.log = self.folder / "log"
        program = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
        must(program is not None, "apache2 is installed (tests/run installs it)")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [program, "-d", self.folder, "-f", config, "-DFOREGROUND"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self):
        until = time.monotonic() + READY_WITHIN
        while True:
            try:
                requests.get(f"{self.url}/bye", timeout=5)
                return self
            except requests.ConnectionError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.__exit__(AssertionError, None, None)
                    raise AssertionError("Apache did not start") from None
                time.sleep(0.05)

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=30)
        if kind is not None:
            sys.stderr.write(self.log.read_text(errors="replace"))
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> dict:
    told = options()
    typed = {"username": told.username, "password": told.password, "tenant": told.tenant}
    browser = PlayedBrowser(typed, told.ca)
    with Apache(told) as apache:
        return walk(told, apache, browser)


def walk(told: argparse.Namespace, apache: Apache, browser: PlayedBrowser) -> dict:
    callback = f"{apache.url}/oidc/callback"

    def shown() -> dict:
        return json.loads(html.unescape(browser.open(f"{apache.url}/").text))

    def known() -> dict:
        return browser.open(f"{callback}?info=json").json()

    page = shown()
    first = known()
    must(page["user"] == sub_of(first) == first["userinfo"]["sub"], f"the page is shown to the user of the provider: {page}")
    must(first["id_token"]["iss"] == told.issuer == page["issuer"], f"the issuer is {told.issuer}: {page}")

    hook = {"refresh": f"{apache.url}/", "access_token": first["access_token"]}
    back = browser.visit(f"{callback}?{urlencode(hook)}", f"{apache.url}/")
    must("error_code" not in back, f"the refresh succeeds: {back}")
    second = known()
    must(second["access_token"] != first["access_token"], "a refresh gives another access token")
    must(second["refresh_token"] != first["refresh_token"], "a refresh gives another refresh token")
    must(shown() == page, "the page is as before the refresh")
    direct = requests.get(
        userinfo_endpoint(told), headers={"Authorization": f"Bearer {second['access_token']}"}, verify=told.ca, timeout=30
    )
    must(direct.json() == second["userinfo"], f"user info with the new token: {direct.text}")

    left = browser.visit(f"{callback}?logout={quote(apache.url + '/bye', safe='')}", f"{apache.url}/bye")
    # The module starts over; silently it must fail now.
    start = browser.session.get(f"{apache.url}/", allow_redirects=False, timeout=30)
    must(start.is_redirect, "the site has forgotten its user")
    gone = browser.visit(start.headers["Location"] + "&prompt=none", callback)
    refused = parse_qs(urlsplit(gone).query).get("error")
    must(refused == ["login_required"], f"after the logout there is no session: {gone}")
    return {
        "party": "mod_auth_openidc",
        "issuer": page["issuer"],
        "sub": sub_of(first),
        "id_token": first["id_token"],
        "userinfo": first["userinfo"],
        "page": page,
        "refreshed": True,
        "after_logout": refused[0],
        "left": left,
        "pages": browser.seen,
    }


def userinfo_endpoint(told: argparse.Namespace) -> str:
    url = f"{told.issuer}/.well-known/openid-configuration"
    return requests.get(url, verify=told.ca, timeout=30).json()["userinfo_endpoint"]


def sub_of(known: dict) -> str:
    return known["id_token"]["sub"]


run(main)
