"""Is the agent card that your partner serves today the one you agreed on? Ask before your agent does, and each night.

    python verify_agent_card.py partners.json

partners.json is a list of agreements, one for each partner, filled by a person after a telephone call:

    [{"name": "Northwharf Supply",
      "site": "https://northwharf.example",
      "endpoints": ["https://stock.northwharf.example/a2a"],
      "scheme": "northwharf",
      "keys": [{"kid": "2026-10", "jku": "https://northwharf.example/.well-known/jwks.json",
                "jwk": {"kty": "EC", "crv": "P-256", "x": "...", "y": "..."}}],
      "agreed": "2026-10-01, Ms. Okafor, on the number in the contract"}]

An entry may have "tenants", the `tenant` names that the card's interfaces may carry; without it, none.
Keep it in your repository, under review: who can change it can redirect your orders. It holds public keys only.
In an agent, use it as a module: `await verified_card(http, agreement)` returns a card or raises `CardRefused`.
Each line of output is one finding. Exit code 0: none; 1: some; 2: bad use. It sends no message to any agent.
It needs a2a-sdk[signing] and was run with 1.3.0.

What it cannot see: what the partner's agent will answer, a stolen key, which credential your client will show.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from a2a.client import A2ACardResolver
from a2a.client.errors import AgentCardResolutionError
from a2a.types import AgentCard
from a2a.utils.signing import NoSignatureError, SignatureVerificationError, create_signature_verifier
from jwt.api_jwk import PyJWK
from jwt.exceptions import InvalidKeyError, PyJWKError

ALGORITHMS = ["ES256"]


class CardRefused(Exception):
    """The card is not what was agreed. Do not send anything to it."""


@dataclass(frozen=True)
class Agreement:
    """What was agreed with one partner, by a way that is not its web site."""

    name: str
    site: str
    endpoints: frozenset[str]
    scheme: str
    keys: dict[tuple[str, str], PyJWK]
    agreed: str
    tenants: frozenset[str] = frozenset()

    @classmethod
    def read(cls, entry: dict[str, Any]) -> "Agreement":
        """Build one from an entry of partners.json. Raises ValueError when it is incomplete or loose."""
        try:
            keys = {(key["kid"], key["jku"]): PyJWK({"alg": "ES256", **key["jwk"]}) for key in entry["keys"]}
            new = cls(
                entry["name"],
                entry["site"],
                frozenset(entry["endpoints"]),
                entry["scheme"],
                keys,
                entry["agreed"],
                frozenset(entry.get("tenants", ())),
            )
        except (KeyError, TypeError, PyJWKError) as error:
            raise ValueError(f"an agreement is incomplete: {type(error).__name__} {error}") from None
        if not keys or not new.endpoints or not new.agreed:
            raise ValueError(f"{new.name}: keys, endpoints and the day of the agreement must not be empty")
        if not all(url.startswith("https://") for url in (new.site, *new.endpoints)):
            raise ValueError(f"{new.name}: only https addresses")
        return new


def key_for(agreement: Agreement, kid: object, jku: object) -> PyJWK:
    """The pinned key by that name. The names come from the card; nothing is fetched."""
    for (known_kid, known_jku), key in agreement.keys.items():
        if (kid, jku) == (known_kid, known_jku):
            return key
    raise InvalidKeyError(f"no key {kid!r} at {jku!r} was agreed with {agreement.name}")


def check_card(agreement: Agreement, card: AgentCard) -> None:
    """Raise `CardRefused` unless the partner signed the card and it names agreed endpoints only."""
    verify = create_signature_verifier(lambda kid, jku: key_for(agreement, kid, jku), ALGORITHMS)
    try:
        verify(card)
    except NoSignatureError:
        raise CardRefused("the card is not signed") from None
    except SignatureVerificationError:
        raise CardRefused("no signature by an agreed key") from None
    strangers = [interface.url for interface in card.supported_interfaces if interface.url not in agreement.endpoints]
    if strangers or not card.supported_interfaces:
        raise CardRefused(f"it leads to {', '.join(strangers) or 'no address'}, which was not agreed")
    # The SDK writes an interface's tenant into each request: on a host of several parties it chooses among them.
    tenants = {interface.tenant for interface in card.supported_interfaces} - {"", *agreement.tenants}
    if tenants:
        raise CardRefused(f"it names the tenant {', '.join(sorted(map(ascii, tenants)))}, which was not agreed")


async def verified_card(http: httpx.AsyncClient, agreement: Agreement) -> AgentCard:
    """Fetch the partner's card and return it. Raises `CardRefused`, or AgentCardResolutionError when there is none."""
    resolver = A2ACardResolver(http, agreement.site)
    # `check_card` is the verifier, so a card that fails it never leaves the resolver.
    return await resolver.get_agent_card(signature_verifier=lambda card: check_card(agreement, card))


async def findings(http: httpx.AsyncClient, agreement: Agreement) -> list[str]:
    """Return one sentence for each way in which the live card differs from the agreement."""
    try:
        card = await verified_card(http, agreement)
    except CardRefused as refused:
        return [f"{agreement.name}: {refused}. Send nothing; telephone."]
    except AgentCardResolutionError as error:
        return [f"{agreement.name}: no card ({error})."]
    # Without scopes, a requirement lies outside the signature (a2a-sdk 1.3.0): report it, and show what was agreed.
    wanted = {name for requirement in card.security_requirements for name in requirement.schemes}
    if wanted != {agreement.scheme}:
        return [
            f"{agreement.name}: the card asks for {sorted(wanted) or 'no credential'}, agreed was {agreement.scheme}."
        ]
    return []


async def main() -> int:
    """Check every partner in the file named on the command line."""
    try:
        (path,) = sys.argv[1:]
        agreements = [Agreement.read(entry) for entry in json.loads(Path(path).read_text(encoding="utf-8"))]
    except (ValueError, OSError) as error:
        print(__doc__, error, sep="\n", file=sys.stderr)
        return 2
    async with httpx.AsyncClient(timeout=10) as http:
        found = [sentence for agreement in agreements for sentence in await findings(http, agreement)]
    print("\n".join(found) or "Nothing found.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
