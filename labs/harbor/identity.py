"""id.harbor.example: the authorization server of Harbor Goods.

    GET  /.well-known/oauth-authorization-server   where everything is (RFC 8414)
    GET  /jwks                                     the public keys (RFC 7517)
    POST /token                                    a token for a client (RFC 6749, client credentials) or
                                                   a token in exchange for another (RFC 8693)

Every token is a signed JWT made out to one resource (RFC 8707). What the server does not do,
like many real ones: it grants a client any of its scopes at any resource.
"""

import base64
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from mcp.server.auth.provider import AccessToken
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ISSUER = "https://id.harbor.example"
ALGORITHM = "ES256"
LIFETIME = 300
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@dataclass(frozen=True)
class Credentials:
    """A client's name and password at the authorization server."""

    client_id: str
    secret: str


@dataclass(frozen=True)
class Exchange:
    """Permission to trade a token made out to `audience` for one made out to `resource`."""

    audience: str
    resource: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class _Client:
    credentials: Credentials
    scopes: frozenset[str]
    exchange: Exchange | None


class _Refused(Exception):
    """An error answer of the token endpoint: its OAuth error code and its HTTP status."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class IdentityProvider:
    """Clients, resources and one signing key, made when the object is made."""

    def __init__(self, resources: Iterable[str], issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self._resources = set(resources)
        self._clients: dict[str, _Client] = {}
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)

    @property
    def keys(self) -> KeySet:
        """The public keys: with them anyone can check a token and nobody can make one."""
        return KeySet.import_key_set({"keys": [self._key.as_dict(private=False)]})

    def register(self, client_id: str, scopes: Iterable[str], exchange: Exchange | None = None) -> Credentials:
        """Make a client known and return its credentials, the secret made at random."""
        credentials = Credentials(client_id, secrets.token_urlsafe(24))
        self._clients[client_id] = _Client(credentials, frozenset(scopes), exchange)
        return credentials

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a token with these claims. `exp` is five minutes ahead unless given; None leaves a claim out."""
        full = {"exp": int(time.time()) + LIFETIME, **claims}
        header = {"alg": ALGORITHM, "kid": self._key.kid}
        return jwt.encode(header, {name: value for name, value in full.items() if value is not None}, self._key)

    def app(self) -> Starlette:
        """The server as an ASGI app."""
        return Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", self._metadata),
                Route("/jwks", self._jwks),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _metadata(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "grant_types_supported": ["client_credentials", TOKEN_EXCHANGE],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            }
        )

    async def _jwks(self, request: Request) -> Response:
        return JSONResponse(self.keys.as_dict(private=False))

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        try:
            client = self._authenticate(request.headers.get("authorization", ""))
            if form.get("grant_type") == "client_credentials":
                claims = self._own(client, form)
            elif form.get("grant_type") == TOKEN_EXCHANGE:
                claims = self._exchanged(client, form)
            else:
                raise _Refused("unsupported_grant_type")
        except _Refused as refused:
            return JSONResponse({"error": refused.code}, refused.status)
        answer = {
            "access_token": self.sign(claims),
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "scope": claims["scope"],
        }
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _authenticate(self, header: str) -> _Client:
        client_id, secret = read_basic(header) or ("", "")
        client = self._clients.get(client_id)
        if client is None or not secrets.compare_digest(client.credentials.secret.encode(), secret.encode()):
            raise _Refused("invalid_client", 401)
        return client

    def _own(self, client: _Client, form: Mapping[str, str]) -> dict[str, Any]:
        """Claims of a token for the client itself."""
        name = client.credentials.client_id
        if form.get("resource") not in self._resources:
            raise _Refused("invalid_target")
        scope = _granted(form, client.scopes)
        return {"iss": self.issuer, "sub": name, "client_id": name, "aud": form["resource"], "scope": scope}

    def _exchanged(self, client: _Client, form: Mapping[str, str]) -> dict[str, Any]:
        """Claims of a token for another's request: `sub` asks, `act` says through whom."""
        allowed, name = client.exchange, client.credentials.client_id
        if allowed is None:
            raise _Refused("unauthorized_client")
        try:
            subject = jwt.decode(form.get("subject_token", ""), self.keys, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            raise _Refused("invalid_request") from None
        # Only the party that a token was made out to may trade it in.
        if subject.get("aud") != allowed.audience or subject.get("exp", 0) <= time.time():
            raise _Refused("invalid_request")
        if form.get("resource") != allowed.resource:
            raise _Refused("invalid_target")
        return {
            "iss": self.issuer,
            "sub": subject["sub"],
            "act": {"sub": name},
            "client_id": name,
            "aud": allowed.resource,
            "scope": _granted(form, allowed.scopes),
        }


def _granted(form: Mapping[str, str], allowed: frozenset[str]) -> str:
    """The scopes asked for; all that are allowed when none is asked for (RFC 6749, 3.3)."""
    asked = set(form.get("scope", "").split()) or allowed
    if not asked <= allowed:
        raise _Refused("invalid_scope")
    return " ".join(sorted(asked))


def read_basic(header: str) -> tuple[str, str] | None:
    """Return client id and secret of a Basic authorization header, None when it is not one."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return None
    return unquote(client_id), unquote(secret)


def as_access_token(token: str, claims: Mapping[str, Any], resource: str | None) -> AccessToken:
    """Put a token's claims into the form the MCP SDK wants. Checks nothing."""
    return AccessToken(
        token=token,
        client_id=claims.get("client_id", ""),
        scopes=claims.get("scope", "").split(),
        expires_at=claims.get("exp"),
        resource=resource,
        subject=claims.get("sub"),
        claims=dict(claims),
    )


class SignatureVerifier:
    """The verifier Harbor Goods started with: a good signature is enough.

    It reports the audience it finds and leaves it to the SDK's settings to compare it.
    """

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the token's claims when its signature holds."""
        try:
            claims = jwt.decode(token, self._keys, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            return None
        audience = claims.get("aud")
        return as_access_token(token, claims, audience if isinstance(audience, str) else None)
