"""OpenID Connect as a client: code flow with PKCE, state and nonce, by Authlib.

What a sign-in was begun with is kept in the browser's cookie under its provider's key and its state
(web/request.py), and looked for there when the browser comes back to the address that this provider
alone leads to: no other provider's answer can end it. Beyond what Authlib checks, a provider must
be the issuer that the operator named, in its metadata and wherever it says who it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import httpx2
from authlib.integrations.starlette_client import OAuth
from starlette.requests import Request

from core.settings import Provider

log = logging.getLogger(__name__)

PROVIDER_TIMEOUT = 10.0

# What Authlib raises when the provider is away, or answers something that isn't OpenID Connect.
PROVIDER_PROBLEMS = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
)

# Signatures with a key that the provider publishes. Some also list `none`, which is no signature.
PUBLIC_KEY = ("RS", "PS", "ES", "Ed")


class OtherIssuerError(Exception):
    """The provider speaks for another issuer than the one that was set up."""


class OpenIdClient:
    """One provider, as it is asked. Methods raise OtherIssuerError, or what Authlib raises."""

    def __init__(self, provider: Provider, verify: object) -> None:
        self.provider = provider
        self._authlib: Any = OAuth().register(
            provider.key,
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=provider.metadata_url,
            client_kwargs={
                "scope": "openid email profile",
                "code_challenge_method": "S256",
                "timeout": PROVIDER_TIMEOUT,
                "verify": verify,
            },
        )

    async def begin(self, callback: str) -> dict[str, Any]:
        """Return where to send the browser (`url`), its `state`, and what to keep until then."""
        await self._metadata()
        begun: dict[str, Any] = await self._authlib.create_authorization_url(callback)
        return {"redirect_uri": callback, **begun}

    async def claims(self, request: Request) -> dict[str, Any]:
        """Return what the provider says of whom it sends back; nothing where it doesn't say."""
        metadata = await self._metadata()
        self._check_who_answers(request, metadata)
        token = await self._authlib.authorize_access_token(request)
        claims = dict(token.get("userinfo") or {})
        if not claims or (claims.get("email") and claims.get("email_verified") is not None):
            return claims
        return await self._completed(claims, token, metadata)

    def ask_anew(self) -> None:
        """Ask for everything once more next time; who is under way goes on with what was said."""
        self._authlib.server_metadata = {}

    async def _metadata(self) -> dict[str, Any]:
        """Return the provider's metadata, once they are known to be those of the right issuer.

        They are at the issuer's own address plus WELL_KNOWN, and name exactly this issuer.
        """
        metadata: dict[str, Any] = await self._authlib.load_server_metadata()
        found = metadata["issuer"]
        if not self.provider.is_written(found):
            self._tell_of_another(found)
            self.ask_anew()
            raise OtherIssuerError
        offered = metadata.get("id_token_signing_alg_values_supported") or ()
        safe = [name for name in offered if str(name).startswith(PUBLIC_KEY)]
        metadata["id_token_signing_alg_values_supported"] = safe or ["RS256"]
        in_form = self.provider.shows_secret_in_form(metadata)
        way = "client_secret_post" if in_form else "client_secret_basic"
        self._authlib.client_kwargs["token_endpoint_auth_method"] = way
        return metadata

    def _check_who_answers(self, request: Request, metadata: Mapping[str, Any]) -> None:
        """Check who says to be answering: RFC 9207, section 2.4."""
        told = request.query_params.getlist("iss")
        promised = metadata.get("authorization_response_iss_parameter_supported") is True
        if told != [metadata["issuer"]] and (told or promised):
            log.error("an answer of %s came from another issuer", self.provider.prefix)
            self.ask_anew()  # it may promise less now
            raise OtherIssuerError

    async def _completed(
        self, claims: dict[str, Any], token: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Add what only the provider's UserInfo endpoint says (OpenID Connect Core 1.0, 5.3, 5.4).

        It must be about the same person. An address and whether it is verified belong together.
        """
        if not metadata.get("userinfo_endpoint"):
            return claims
        told = await self._authlib.userinfo(token=token)
        if told.get("sub") != claims.get("sub"):
            raise ValueError("the UserInfo endpoint speaks of somebody else")
        if told.get("email"):
            claims["email"] = told["email"]
            claims["email_verified"] = told.get("email_verified")
        for claim in ("name", "picture"):
            claims.setdefault(claim, told.get(claim))
        return claims

    def _tell_of_another(self, found: object) -> None:
        log.error(
            "nobody can sign in with %s: its metadata speak for the issuer %.200r, and %s for"
            " %.200r; if that is the one that you mean, write it exactly so",
            *(self.provider.name, found, self.provider.address_variable, self.provider.issuer),
        )


def clients(providers: tuple[Provider, ...]) -> dict[str, OpenIdClient]:
    """Return a client for each provider, by its key.

    All their connections share what they know of certificates: to read them takes 25 ms, in which
    nobody's speech would be relayed, and a first sign-in makes four connections.
    """
    verify = httpx2.create_ssl_context() if providers else True
    return {one.key: OpenIdClient(one, verify) for one in providers}
