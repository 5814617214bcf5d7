"""The PyPI package Authlib as a relying party, the way its Flask integration is used.

    python authlib_client.py --issuer URL --ca FILE --client-id ID --client-secret SECRET --redirect-uri URL
        --after-logout URL --username NAME --password PASSWORD [--tenant NAME] [--scope SCOPE]

Flask serves no port here: its test client brings it what the browser would have brought.
"""

import argparse
import os
from urllib.parse import parse_qs, urlsplit

import flask
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth

from played_browser import PlayedBrowser, must, run

REQUIRED = ("issuer", "ca", "client-id", "client-secret", "redirect-uri", "after-logout", "username", "password")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in REQUIRED:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--tenant")
    parser.add_argument("--scope", default="openid profile email offline_access")
    return parser.parse_args()


def site(told: argparse.Namespace) -> flask.Flask:
    """The relying party's own web site."""
    app = flask.Flask(__name__)
    app.secret_key = os.urandom(32)
    party = OAuth(app).register(
        "admit",
        server_metadata_url=f"{told.issuer}/.well-known/openid-configuration",
        client_id=told.client_id,
        client_secret=told.client_secret,
        client_kwargs={"scope": told.scope, "code_challenge_method": "S256"},
    )

    @app.get("/login")
    def login():
        return party.authorize_redirect(told.redirect_uri, **flask.request.args)

    @app.get("/callback")
    def callback():
        try:
            flask.session["token"] = party.authorize_access_token()
        except OAuthError as refused:
            return {"error": refused.error, "description": refused.description}
        return flask.session["token"]

    @app.get("/userinfo")
    def userinfo():
        return dict(party.userinfo(token=flask.session["token"]))

    @app.get("/refresh")
    def refresh():
        old = flask.session["token"]
        new = party.fetch_access_token(grant_type="refresh_token", refresh_token=old["refresh_token"])
        flask.session["token"] = {**old, **new}
        return new

    @app.get("/logout")
    def logout():
        token = flask.session["token"]
        return party.logout_redirect(told.after_logout, id_token_hint=token["id_token"])

    @app.get("/bye")
    def bye():
        return party.validate_logout_response()

    return app


def main() -> dict:
    told = options()
    os.environ["REQUESTS_CA_BUNDLE"] = told.ca
    party = site(told).test_client()
    browser = PlayedBrowser({"username": told.username, "password": told.password, "tenant": told.tenant}, told.ca)

    def login(query: str = "") -> dict:
        sent = party.get(f"/login{query}").headers["Location"]
        back = browser.visit(sent, told.redirect_uri)
        answer = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        must(answer.get("iss") == told.issuer, f"the answer names its issuer (RFC 9207): {back}")
        return asked("/callback", answer)

    def asked(path: str, query: dict | None = None) -> dict:
        answer = party.get(path, query_string=query)
        must(answer.status_code == 200, f"{path} answers 200 and not {answer.status_code}")
        return answer.get_json()

    first = login()
    must("userinfo" in first, f"the login succeeds: {first}")
    claims = first["userinfo"]
    must(claims["iss"] == told.issuer, f"the issuer is {told.issuer}")
    before = asked("/userinfo")
    must(before["sub"] == claims["sub"], "user info is of the same user")
    second = asked("/refresh")
    must(second["access_token"] != first["access_token"], "a refresh gives another access token")
    must(second["refresh_token"] != first["refresh_token"], "a refresh gives another refresh token")
    must(asked("/userinfo") == before, "user info is the same with either token")
    silent = login("?prompt=none")
    must(silent.get("userinfo", {}).get("sub") == claims["sub"], f"prompt=none is answered for the same user: {silent}")
    left = browser.visit(party.get("/logout").headers["Location"], told.after_logout)
    asked("/bye", {name: values[0] for name, values in parse_qs(urlsplit(left).query).items()})
    gone = login("?prompt=none")
    must(gone.get("error") == "login_required", f"after the logout there is no session: {gone}")
    return {
        "party": "Authlib",
        "issuer": claims["iss"],
        "sub": claims["sub"],
        "id_token": claims,
        "userinfo": before,
        "scope": first.get("scope"),
        "expires_in": first.get("expires_in"),
        "refreshed": True,
        "after_logout": gone["error"],
        "cookies": [cookie.name for cookie in browser.session.cookies],
        "pages": browser.seen,
    }


run(main)
