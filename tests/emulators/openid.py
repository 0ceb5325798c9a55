"""An OpenID provider that can misbehave, where the usual one for tests can't.

It speaks OpenID Connect Core 1.0 (code flow) with PKCE (RFC 7636), consents at once, and is as
strict as Google: a code works once, for the redirect address and the challenge it was given for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "client-of-the-tests"
CLIENT_SECRET = "secret-of-the-tests"
METADATA = "/.well-known/openid-configuration"
TOKEN = "/token"
JWKS = "/jwks"
USERINFO = "/userinfo"

Answer = tuple[int, str]


def new_key(kid: str) -> RSAKey:
    """Return a key for signatures."""
    return RSAKey.generate_key(parameters={"kid": kid, "use": "sig"})


class Provider:
    """Runs in a thread while it is a context; `stop` and `start` make it go away and come back.

    `tail` is what its issuer ends in, such as a slash.
    """

    def __init__(self, tail: str = "") -> None:
        self.claims: dict[str, Any] = {}
        self.tail = tail
        # Whether id tokens only say who somebody is, so that the rest must be asked for; and what
        # is said there instead.
        self.thin = False
        self.changed_info: dict[str, Any] = {}
        # How a client may show its secret.
        self.ways = ["client_secret_basic", "client_secret_post"]
        # What id tokens say instead; None leaves a claim out.
        self.changed_claims: dict[str, Any] = {}
        # What an address answers instead of what it should, by path.
        self.instead: dict[str, Answer] = {}
        # What is there besides, such as pictures: status, headers and content, by path.
        self.files: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.signing_key = new_key("first")
        self.published_key = self.signing_key
        self.algorithm = "RS256"
        self.authorizations: list[Mapping[str, str]] = []
        self.proofs: list[str] = []  # in which of the ways it was shown
        self._codes: dict[str, Mapping[str, str]] = {}
        self._tokens: set[str] = set()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://localhost:{self._port}"

    @property
    def issuer(self) -> str:
        """What it writes itself as."""
        return self.url + self.tail

    def __enter__(self) -> Provider:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answer from now on, at the same address as before."""
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def behave(self) -> None:
        """Undo all misbehaviour."""
        self.stop()
        self.changed_claims, self.instead, self.algorithm = {}, {}, "RS256"
        self.files = {}
        self.thin, self.changed_info = False, {}
        self.ways = ["client_secret_basic", "client_secret_post"]
        self.published_key = self.signing_key
        self.start()

    def metadata(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": self.url + TOKEN,
            "userinfo_endpoint": self.url + USERINFO,
            "jwks_uri": self.url + JWKS,
            "token_endpoint_auth_methods_supported": self.ways,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorize(self, query: Mapping[str, str]) -> str:
        """Return where the browser goes back to."""
        self.authorizations.append(query)
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: Mapping[str, str], client: str) -> tuple[int, dict[str, Any]]:
        """RFC 6749, section 4.1.3, with the check of RFC 7636, section 4.6."""
        way = "client_secret_basic" if client else "client_secret_post"
        self.proofs.append(way)
        shown = client or f"{form.get('client_id')}:{form.get('client_secret')}"
        if way not in self.ways or shown != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["redirect_uri"] != form.get("redirect_uri")
            or asked["code_challenge"] != challenge
        ):
            return 400, {"error": "invalid_grant"}
        access_token = secrets.token_urlsafe(16)
        self._tokens.add(f"Bearer {access_token}")
        return 200, {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "id_token": self._id_token(asked["nonce"]),
        }

    def userinfo(self, authorization: str) -> tuple[int, dict[str, Any]]:
        """OpenID Connect Core 1.0, section 5.3."""
        if authorization not in self._tokens:
            return 401, {"error": "invalid_token"}
        return 200, _without_none({**self.claims, **self.changed_info})

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"sub": self.claims.get("sub")} if self.thin else self.claims
        told = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 3600,
            "nonce": nonce,
            **claims,
            **self.changed_claims,
        }
        header = {"alg": self.algorithm, "kid": self.signing_key.kid}
        if self.algorithm == "none":  # joserfc warns of it
            parts = (_packed({"alg": "none"}), _packed(_without_none(told)), "")
            return ".".join(parts)
        known = [self.algorithm]
        return jwt.encode(header, _without_none(told), self.signing_key, algorithms=known)


def _packed(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _without_none(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(query))
            self.end_headers()
        elif address.path == USERINFO:
            self._answer(*self.provider.userinfo(self.headers.get("Authorization", "")))
        elif address.path == METADATA:
            self._answer(200, self.provider.metadata())
        elif address.path == JWKS:
            self._answer(200, {"keys": [self.provider.published_key.as_dict(private=False)]})
        elif address.path in self.provider.files:
            self._give(*self.provider.files[address.path])
        else:
            self._answer(404, {})

    def _give(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(OSError):  # who has had enough of it goes
            self.wfile.write(content)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        kind, _, credentials = self.headers.get("Authorization", "").partition(" ")
        client = base64.b64decode(credentials).decode() if kind == "Basic" else ""
        self._answer(*self.provider.token(form, client))

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        status, text = self.provider.instead.get(
            urlsplit(self.path).path, (status, json.dumps(content))
        )
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Say nothing."""
