"""Would your server accept this workload token, and should it? Run this before the token meets production.

    # Kubernetes: a projected token and the issuer's key set (kubectl get --raw /openid/v1/jwks > jwks.json)
    kubectl create token order-desk -n shop --audience=https://orders.harbor.example/mcp --duration=10m |
      python check_workload_token.py --keys jwks.json --issuer https://oidc.harbor.example/cluster-1 \\
        --audience https://orders.harbor.example/mcp --subject system:serviceaccount:shop:order-desk

    # SPIFFE: a JWT-SVID and the bundle of the trust domain in its name
    python check_workload_token.py --keys bundle.json --trust-domain harbor.example \\
        --audience https://orders.harbor.example/mcp --subject spiffe://harbor.example/agent/order-desk < token.jwt

    # Is one of its workloads stopped? Seconds since 1970; "resumed" when its new tokens count again.
    echo '{"spiffe://harbor.example/agent/order-desk": {"stopped": 1781334000}}' > stopped.json
    python check_workload_token.py --stopped stopped.json --keys bundle.json --trust-domain harbor.example \\
        --audience https://orders.harbor.example/mcp --subject spiffe://harbor.example/agent/order-desk < token.jwt

The token comes from standard input, so that it stays out of your shell's history; it is never printed.
--subject may be given several times. Each line of output is one finding, the server's reasons to refuse first.
Exit code 0: none; 1: some; 2: bad use. It needs joserfc, and no network.

In a server, import `verify`: it returns the claims of a token that counts and raises NotAccepted for any other. Call
`check_stopped` with those claims, and with those of any other token that names who acts, wherever a token is read:
at each tool server, and at a token exchange for both tokens. Read the list again every few seconds; when that fails, refuse.
What neither can see: a token that was stolen (keep its life short; honest workloads use one several times, so it
cannot be counted), for whom the agent acts, and which other code in the pod holds the same token.
"""

import argparse
import base64
import json
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

ALGORITHMS = ("ES256", "RS256")  # name what your issuer uses; never what the token's header asks for
LEEWAY = 30  # seconds, for clocks that disagree
LONGEST = 3_600  # seconds; a token that ends later than this from now does not count


class NotAccepted(Exception):
    """This token does not count; the message says why."""


def signing_keys(document: Mapping[str, Any], spiffe: bool) -> KeySet:
    """Return the keys that may sign tokens. Of a SPIFFE bundle those are the ones with `use: jwt-svid`."""
    entries = [entry for entry in document["keys"] if not spiffe or entry.get("use") == "jwt-svid"]
    return KeySet.import_key_set({"keys": [{n: v for n, v in e.items() if n != "use"} for e in entries]})


def verify(
    token: str,
    keys: KeySet,
    audience: str,
    subjects: Collection[str],
    issuer: str | None = None,
    trust_domain: str | None = None,
    now: float | None = None,
) -> dict[str, Any]:
    """Return the claims of a token that counts.

    `keys` belong to exactly one issuer or trust domain; name it. Raises NotAccepted, ValueError when neither is named.
    """
    if (issuer is None) == (trust_domain is None):
        raise ValueError("name either the issuer or the trust domain that the keys belong to")
    moment = int(time.time() if now is None else now)
    demanded: dict[str, Any] = {"aud": {"essential": True, "value": audience}, "exp": {"essential": True}}
    if issuer is not None:
        demanded["iss"] = {"essential": True, "value": issuer}
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        JWTClaimsRegistry(now=moment, leeway=LEEWAY, sub={"essential": True}, **demanded).validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise NotAccepted(str(error).rstrip(": ") or type(error).__name__) from None
    if trust_domain is not None and not claims["sub"].startswith(f"spiffe://{trust_domain}/"):
        raise NotAccepted("the subject is no name of this trust domain")
    if claims["sub"] not in subjects:
        raise NotAccepted("the subject is not one of those you allow")
    if claims["exp"] > moment + LONGEST:
        raise NotAccepted(f"it is valid for longer than {LONGEST} seconds")
    return dict(claims)


def check_stopped(claims: Mapping[str, Any], stops: Mapping[str, Mapping[str, float]]) -> None:
    """Raise NotAccepted when a workload that is stopped is the subject of this token or acts in it, at any depth.

    stops: {workload: {"stopped": when, "resumed": when}}, of each the latest. A stop counts at once; after a resume only
    tokens that were issued at its second or later do.
    """
    link: Any = claims
    while isinstance(link, Mapping):
        name = link.get("sub")
        if isinstance(name, str) and name in stops:
            again, issued = stops[name].get("resumed", float("-inf")), claims.get("iat")
            if again <= stops[name]["stopped"]:
                raise NotAccepted(f"{name} is stopped")
            if not isinstance(issued, (int, float)) or issued < again:
                raise NotAccepted(f"it was issued before {name} was resumed")
        link = link.get("act")


def read_stop_list(path: Path) -> dict[str, dict[str, float]]:
    """Return the stop list in a file. Raises ValueError when it is none: a server must refuse then, not go on."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("a stop list is an object: {workload: {stopped: when}}")
    for name, news in found.items():
        good = isinstance(news, dict) and "stopped" in news and set(news) <= {"stopped", "resumed"}
        if not good or not all(type(when) in (int, float) for when in news.values()):
            raise ValueError(f"{name}: write {{stopped: when}}, and resumed when it is; seconds since 1970")
    return found


def findings(
    token: str,
    keys: KeySet,
    audience: str,
    subjects: Collection[str],
    stops: Mapping[str, Mapping[str, float]] | None = None,
    **options: Any,
) -> list[str]:
    """Return one sentence for each thing that is wrong with this token, or about to be."""
    found = []
    try:
        check_stopped(verify(token, keys, audience, subjects, **options), stops or {})
    except NotAccepted as reason:
        found.append(f"Refused: {reason}.")
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    except ValueError:
        return found
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return found
    if isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1:
        found.append(f"It has {len(claims['aud'])} audiences: each of them can use it at the others.")
    if "kid" not in header:
        found.append("Its header has no kid: a server has to try keys, or refuse.")
    for name in sorted({"jwk", "jku", "x5c", "x5u"} & set(header)):
        found.append(f"Its header has {name}: the sender's own word about the key. No honest issuer needs it here.")
    return found


def main() -> int:
    """Check the token on standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", required=True, type=Path, help="a JWKS document or a SPIFFE bundle")
    belongs = parser.add_mutually_exclusive_group(required=True)
    belongs.add_argument("--issuer", help="whose keys these are (iss)")
    belongs.add_argument("--trust-domain", help="whose keys these are (SPIFFE)")
    parser.add_argument("--audience", required=True)
    parser.add_argument("--subject", required=True, action="append")
    parser.add_argument("--stopped", type=Path, help="a stop list, as JSON")
    given = parser.parse_args()
    try:
        keys = signing_keys(json.loads(given.keys.read_text(encoding="utf-8")), spiffe=given.trust_domain is not None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
        print(f"{given.keys}: {error}", file=sys.stderr)
        return 2
    try:
        stops = read_stop_list(given.stopped) if given.stopped else {}
    except (OSError, ValueError) as error:
        print(f"{given.stopped}: {error}", file=sys.stderr)
        return 2
    token = sys.stdin.read().strip()
    options = {"issuer": given.issuer, "trust_domain": given.trust_domain}
    found = findings(token, keys, given.audience, given.subject, stops, **options)
    print("\n".join(found) or "Nothing found.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
