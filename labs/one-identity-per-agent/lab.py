# ---
# title: One identity per agent
# summary: When money has moved, how do you know which agent did it and for whom, and how do you stop that one agent and no other?
# track: protocols
# lesson: learn/protocols/who-is-this-agent.md
# minutes: 85
# level: working
# needs: any
# browser: false
# threats: ["ASI03:2026", "ASI10:2026", "MCP07:2025"]
# controls: [workload-identity, replay-protection, token-exchange, stop-switch]
# versions: [joserfc, spiffe]
# protocols: [SPIFFE JWT-SVID, RFC 8693]
# takeaway: check_workload_token.py
# sources:
#   - title: "SPIFFE: The JWT SPIFFE Verifiable Identity Document"
#     url: https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md
#     read: 2026-11-23
#   - title: "RFC 8693: OAuth 2.0 Token Exchange, section 4.1 (act)"
#     url: https://www.rfc-editor.org/rfc/rfc8693#section-4.1
#     read: 2026-11-23
#   - title: "RFC 7662: OAuth 2.0 Token Introspection"
#     url: https://www.rfc-editor.org/rfc/rfc7662
#     read: 2026-11-25
#   - title: "OWASP Top 10 for Agentic Applications 2026 (ASI10, by name)"
#     url: https://genai.owasp.org/resource/owasp-top-10-for-agentic-applications-for-2026/
#     read: 2026-11-23
#   - title: "SPIRE 1.11.3: tokens without an expiry were accepted"
#     url: https://github.com/spiffe/spire/releases/tag/v1.11.3
#     read: 2026-11-25
#   - title: "Keycloak 26: SPIFFE client assertions (jti is optional, and platforms hand a JWT-SVID out more than once)"
#     url: https://www.keycloak.org/docs-api/latest/javadocs/org/keycloak/broker/spiffe/package-summary.html
#     read: 2026-11-25
#   - title: "joserfc guide: JWT"
#     url: https://github.com/authlib/joserfc/blob/main/docs/guide/jwt.rst
#     read: 2026-11-23
# verified: 2026-11-25
# ---

# %% [markdown]
# Harbor Goods runs two agents. `order-desk` works by day: Dana of support tells it what to refund, and it does so
# through the servers `orders` and `payments`. `night-desk` sorts at night what nobody has read; it never pays.
# One morning the ledger shows a refund of 4,999 euros, and the first question is: **which agent was that, and for
# whom?**
#
# This lab makes the answer trustworthy. Who calls whom, and who signs what about it:
#
# ```text
#  Dana  -->  order-desk  -->  orders  -->  payments
#
#  the platform       signs  "this is order-desk"               (a JWT-SVID)
#  id.harbor.example  signs  "Dana asks, order-desk acts"       (for orders)
#  id.harbor.example  signs  "Dana asks, orders acts,
#                             order-desk acted before"          (for payments)
# ```
#
# - A **workload** is a running program. The platform that started it knows which one it is, and says so in a
#   short-lived signed note. SPIFFE is a standard for such notes: the name is a **SPIFFE ID**,
#   `spiffe://harbor.example/agent/order-desk`, whose first part is the **trust domain**; the note is a
#   **JWT-SVID**, a signed JSON Web Token (JWT) with the name in `sub`. A Kubernetes service-account token is the same idea.
# - A **bundle** is the list of public keys of one trust domain. Harbor holds its own and that of its supplier,
#   Northwharf, whose agent `stock-desk` calls `orders` for stock. Holding a partner's bundle is called *federation*.
# - A **token exchange** (RFC 8693) makes one token out of two: `sub` says who asks, `act` says who acts.
#
# A JWT is a header, claims and a signature over both. The words in it:
#
# - header: `alg`, how it is signed; `kid`, the label of the signer's key;
# - claims about people and programs: `iss`, who issued it; `sub`, whom it is about; `aud`, to whom it is made out; `act`, who acts;
# - claims about its use: `scope`, what it allows; `exp`, the second at which it ends; `jti`, an id that no other token of this issuer has.
#
# The lab *Bind tokens to their audience* is about *where* a token counts, over a real MCP
# connection. Here the question is *who*. There is no network in this lab: you call the servers as functions, and all
# signatures are real.

# %% tags=["setup"]
from labkit import begin, check, expect, landed, refused, works

lab = begin("one-identity-per-agent")

import base64
import json
import runpy
import secrets
import sqlite3
import threading
import time
import warnings
from collections import Counter
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from unittest import mock

from harbor.identity import ISSUER  # "https://id.harbor.example"
from harbor.servers import REFUND_LIMIT, Refund  # a refund is a row: order, cents, asked_by, through
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, KeySet
from joserfc.jwt import JWTClaimsRegistry
from spiffe import JwtBundle, JwtSvid, SpiffeId, TrustDomain
from spiffe.errors import PySpiffeError

warnings.simplefilter("ignore", SecurityWarning)  # joserfc warns about `alg: none`; here it is the attack

DESK = "spiffe://harbor.example/agent/order-desk"
NIGHT = "spiffe://harbor.example/agent/night-desk"
ORDERS = "spiffe://harbor.example/server/orders"
PAYMENTS = "spiffe://harbor.example/server/payments"
MAILBOX = "spiffe://harbor.example/server/mailbox"
PAYOUT = "spiffe://harbor.example/server/payout"
STOCK = "spiffe://northwharf.example/agent/stock-desk"
DANA, TOM = "dana@harbor.example", "tom@harbor.example"  # Tom is a trainee: he may read orders, not refund

LIFETIME = 300  # seconds a token is valid
LEEWAY = 30  # seconds for clocks that disagree: a token counts until exp + LEEWAY
LONGEST = 600  # a token that ends later than this from now does not count
NOW = int(time.time())


# %% [markdown]
# ## The shop as it is: one key for all agents
#
# Today both agents hold the same API key. It opens `payments` and the mailbox.


# %%
class KeyedServers:
    """payments and the mailbox today: whoever shows the key is "agents"."""

    def __init__(self):
        self.key = secrets.token_urlsafe(24)
        self.ledger = []

    def refund(self, key, order, cents):
        self._open(key)
        self.ledger.append(Refund(order, cents, asked_by="agents", through="agents"))

    def list_mail(self, key):
        self._open(key)
        return ["Your code for the payout portal: 4711 (canary)"]

    def _open(self, key):
        if not secrets.compare_digest(key.encode(), self.key.encode()):
            raise PermissionError("unknown key")


today = KeyedServers()
key_of_order_desk = key_of_night_desk = today.key

# %% [markdown]
# ## Attack 1: nobody can say who did it
#
# Two refunds. Dana asked `order-desk` for the first. A letter, read at night, told `night-desk` to make the second.

# %% tags=["attack"]
today.refund(key_of_order_desk, "1001", 2_000)
today.refund(key_of_night_desk, "1003", 499_900)
print(*today.ledger, sep="\n")

names = {(row.asked_by, row.through) for row in today.ledger}
landed("an honest refund and a theft carry the same name in the ledger", names if len(names) == 1 else None)

# %% [markdown]
# And the only switch is the key itself: pull it, and `order-desk` stops too.
#
# ## Attack 2: the key fits anywhere
#
# A request with its header ends up in a trace file that the supplier's support gets to see. The key names no server,
# no sender and no end, so it works for anybody, everywhere, until somebody replaces it.

# %% tags=["attack"]
trace = lab.dir / "trace.log"
trace.write_text(f"POST /refund order=1001 authorization='Bearer {key_of_order_desk}'\n", encoding="utf-8")

stolen = trace.read_text(encoding="utf-8").split("Bearer ")[1].strip("'\n")
landed("the key from a trace of payments opens the mailbox, from a laptop elsewhere", today.list_mail(stolen))


# %% [markdown]
# ## The first repair, and why it is not one
#
# Harbor reads about SPIFFE and gets tokens with names in them. Below is the platform's side: it names the workloads
# of one trust domain and signs for them. (In production this is SPIRE, or your cluster. It looks at the process that
# asks and decides who it is; that step is called *attestation*, and this lab takes it as given.)


# %%
class Authority:
    """Signs JWT-SVIDs for the workloads of one trust domain. Its first key is the one that signs."""

    def __init__(self, domain, *kids):
        self.domain = domain
        self.keys = [ECKey.generate_key("P-256", {"kid": kid}) for kid in kids]
        self.certificate_key = ECKey.generate_key("P-256", {"kid": "certificates"})

    def bundle(self):
        """The public keys, in the form of a SPIFFE bundle: `use` says what each key is for."""
        uses = [(key, "jwt-svid") for key in self.keys] + [(self.certificate_key, "x509-svid")]
        return {"keys": [{**key.as_dict(private=False), "use": use} for key, use in uses]}

    def svid(self, subject, audience, key=None, header=None, **changes):
        """A JWT-SVID for `subject`, made out to `audience`. A claim changed to None is left out."""
        claims = {"sub": subject, "aud": [audience], "exp": NOW + LIFETIME, "jti": secrets.token_urlsafe(12)}
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        key = key or self.keys[0]
        return jwt.encode({"alg": "ES256", "kid": key.kid, **(header or {})}, claims, key)


def peek(token):
    """Return header and claims of a token WITHOUT checking anything. ValueError when it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("a JWT has three parts")
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2])
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise ValueError("header and claims are JSON objects")
    return header, claims


# Harbor holds two keys at a time: one of them is about to be retired. A kid is unique in one bundle, not in the world.
harbor = Authority("harbor.example", "2026-11", "2026-05")
northwharf = Authority("northwharf.example", "2026-11", "nw-7")
# Where the supplier tests its side of our integration.
northwharf_for_us = Authority("harbor.example.northwharf.example", "nw-8")
# id.harbor.example signs with a key of its own.
idp = Authority(ISSUER, "id-1")

authorities = (harbor, northwharf, northwharf_for_us)
bundles = {authority.domain: authority.bundle() for authority in authorities}
header, claims = peek(harbor.svid(DESK, ORDERS))
print("header:", json.dumps(header))
print("claims:", json.dumps({**claims, "exp": "in five minutes", "jti": "a random id"}, indent=1))

# %% [markdown]
# The servers check the signature, and nothing else:


# %%
def given_verify(token):
    """Harbor's first repair: some key that we know has signed this."""
    entries = [entry for bundle in (*bundles.values(), idp.bundle()) for entry in bundle["keys"]]
    for entry in entries:
        key = ECKey.import_key({name: value for name, value in entry.items() if name != "use"})
        try:
            return jwt.decode(token, key, algorithms=[peek(token)[0]["alg"]]).claims
        except JoseError:
            continue
    raise PermissionError("no key fits")


def given_exchange(subject_token, actor, audience, scope):
    """id.harbor.example today: who asks is in the token, and who acts tells us its name."""
    subject = given_verify(subject_token)["sub"]
    claims = {"iss": ISSUER, "sub": subject, "act": {"sub": actor}, "aud": audience, "scope": scope}
    return jwt.encode({"alg": "ES256", "kid": "id-1"}, claims, idp.keys[0])


class GivenPayments:
    """payments after the first repair."""

    def __init__(self):
        self.ledger = []

    def refund(self, token, order, cents):
        claims = given_verify(token)
        self.ledger.append(Refund(order, cents, claims["sub"], claims.get("act", {}).get("sub", "itself")))
        return self.ledger[-1]


payments = GivenPayments()
print("honest:", payments.refund(harbor.svid(DESK, PAYMENTS), "1001", 2_000))

# %% [markdown]
# ## Attacks 3 to 7: five tokens that must not count
#
# The ledger has names now. Each of these five makes it lie, or pay.

# %% tags=["attack"]
recorded = harbor.svid(DESK, PAYMENTS)
payments.refund(recorded, "1001", 2_000)
landed("replay: a recorded token pays the same refund again", payments.refund(recorded, "1001", 2_000))

for_northwharf = harbor.svid(DESK, STOCK)
landed("wrong audience: the supplier uses a token made out to it", payments.refund(for_northwharf, "1003", 90_000))

forged = northwharf.svid(DESK, PAYMENTS)
landed("foreign trust domain: the supplier signs Harbor's name", payments.refund(forged, "1003", 100_000))

dana_at_night = jwt.encode(
    {"alg": "ES256", "kid": "id-1"}, {"iss": ISSUER, "sub": DANA, "aud": NIGHT, "scope": "mail.read"}, idp.keys[0]
)
as_somebody_else = given_exchange(dana_at_night, actor=DESK, audience=PAYMENTS, scope="payments.refund")
landed("wrong actor: night-desk calls itself order-desk", payments.refund(as_somebody_else, "1003", 499_900))


def unsigned(claims):
    """A token that says it needs no signature."""
    parts = ({"alg": "none", "kid": "2026-11"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + "."


by_nobody = unsigned({"sub": DESK, "aud": [PAYMENTS], "exp": NOW + LIFETIME, "jti": "1"})
landed("alg none: a token that nobody signed", payments.refund(by_nobody, "1003", 250_000))


# %% [markdown]
# The signature stopped none of them. What was missing:
#
# | attack | missing | exercise |
# |---|---|---|
# | 3, replay | a memory of the tokens that were used | 2 |
# | 4, wrong audience | a look at `aud` | 1 |
# | 5, foreign trust domain | whose key it was | 1 |
# | 6, wrong actor | a proof of who acts, and a bound on it | 3 |
# | 7, `alg: none` | an algorithm that the server names | 1 |
#
# So three repairs. Exercise 4 is a drill, for the key that signs all this; exercise 5 is for the morning on which one agent
# has to stop. Do them in order: later checks use what you wrote.
#
# ## Exercise 1: know the workload
#
# Write the function with which a server reads a JWT-SVID. `orders` needs it where a program asks for itself, such as the supplier's
# `stock-desk`, and the check below plays `orders`. In the shop at the end id.harbor.example uses it, at each exchange. The token's header and claims are the *sender's* words until a
# key that you chose has confirmed them. So: read the name in `sub` unverified, take from it only *whose* keys to use,
# verify with those, and believe the claims only then.
#
# | accept only when | tools |
# |---|---|
# | `sub` is a SPIFFE ID, in a trust domain whose bundle you hold | `peek(token)`; `SpiffeId(text).trust_domain.name`; `bundles[domain]` |
# | a key of *that* bundle for JWT-SVIDs has signed it | entries of `bundle["keys"]` with `use` equal to `jwt-svid`; joserfc knows only `sig` and `enc`, so leave `use` out of what you give to `KeySet.import_key_set({"keys": [...]})`; of such a set `jwt.decode` takes the key that the header's `kid` names |
# | with the algorithm you name: `ES256` | `jwt.decode(token, keys, algorithms=[...]).claims`: signature only |
# | `sub`, `aud` and `exp` are there; `audience` is in `aud`; it has not expired | `JWTClaimsRegistry(now=now, leeway=LEEWAY, aud={"essential": True, "value": audience}, ...)` and its `.validate(claims)`; without `essential` a missing claim passes |
# | it ends within `LONGEST` seconds from `now`, without `LEEWAY` | |
# | `sub`, as a whole, is in `allowed` | |
#
# Anything else, rubbish included, is `NotAccepted`. joserfc raises `JoseError`, spiffe `PySpiffeError`, `peek`
# `ValueError`; a name that is not in a dict is a `KeyError`, and a number where a text should be a `TypeError`.
#
# Two lines of the table are second walls, and the check cannot tell whether you built them: a missing `sub` already fails when it is
# parsed, and joserfc by itself refuses `none`. Write both down; the next version of a library may see it otherwise.


# %%
class NotAccepted(Exception):
    """This token does not count."""


# %% tags=["exercise"] id="know-the-workload" title="Know the workload" minutes=17
def verify_workload(token, audience, bundles, allowed, now):
    """Return the claims of a JWT-SVID that counts at `audience`; raise NotAccepted for any other token.

    bundles: {trust domain: its bundle}; allowed: the SPIFFE IDs that may call here; now: seconds since 1970.
    """
    ### BEGIN SOLUTION
    rules = JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY,
        sub={"essential": True},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
    )
    try:
        domain = SpiffeId(peek(token)[1]["sub"]).trust_domain.name
        entries = [entry for entry in bundles[domain]["keys"] if entry["use"] == "jwt-svid"]
        keys = KeySet.import_key_set({"keys": [{n: v for n, v in e.items() if n != "use"} for e in entries]})
        claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
        rules.validate(claims)
    except (JoseError, PySpiffeError, ValueError, KeyError, TypeError) as error:
        raise NotAccepted(type(error).__name__) from None
    if claims["sub"] not in allowed:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims
    ### END SOLUTION


# %% [markdown]
# The check is `orders`: it expects `order-desk`, and `stock-desk` of the supplier.

# %% tags=["check"] exercise="know-the-workload"
TEST_DESK = DESK + "-test"
SUPPLIERS_DESK = "spiffe://northwharf.example/agent/order-desk"
LOOKALIKE = "spiffe://harbor.example.northwharf.example/agent/order-desk"
nobody = Authority("nobody.example", "2026-11")


def wrong_tokens():
    """Yield every token that must not count at `orders`: what it is, the token, what to do about it."""
    audience = "Demand `aud`, and compare it with the server's own name, as a whole."
    whose = "Keys belong to a trust domain: use the bundle of the domain in `sub` and no other key."
    whole = "Compare the whole SPIFFE ID with the ones you allow: no prefix, no path alone, no domain alone."
    own = nobody.keys[0].as_dict(private=False)
    yield "made out to payments", harbor.svid(DESK, PAYMENTS), audience
    yield "made out to a name that begins like orders", harbor.svid(DESK, ORDERS + "-archive"), audience
    yield (
        "made out to such a name, as a text and no list",
        harbor.svid(DESK, ORDERS, aud=ORDERS + "-archive"),
        audience,
    )
    yield "made out to nobody", harbor.svid(DESK, ORDERS, aud=None), audience
    yield (
        "of order-desk, signed by Northwharf with a key of its own",
        northwharf.svid(DESK, ORDERS, northwharf.keys[1]),
        whose,
    )
    yield "of order-desk, signed by Northwharf under a kid that Harbor uses too", northwharf.svid(DESK, ORDERS), whose
    yield "that brings its own key in the header", nobody.svid(DESK, ORDERS, header={"jwk": own}), whose
    yield (
        "of a trust domain that nobody federated with",
        nobody.svid("spiffe://nobody.example/agent/order-desk", ORDERS),
        whose,
    )
    yield (
        "signed with Harbor's key for certificates",
        harbor.svid(DESK, ORDERS, harbor.certificate_key),
        "A bundle also holds keys for certificates: take only those with use jwt-svid.",
    )
    yield "of night-desk, which has no business at orders", harbor.svid(NIGHT, ORDERS), whole
    yield "of order-desk-test, from the test cluster", harbor.svid(TEST_DESK, ORDERS), whole
    yield "of an order-desk that is Northwharf's", northwharf.svid(SUPPLIERS_DESK, ORDERS), whole
    yield "of a trust domain that only begins like Harbor's", northwharf_for_us.svid(LOOKALIKE, ORDERS), whole
    yield (
        "without a signature",
        unsigned({"sub": DESK, "aud": [ORDERS], "exp": NOW + LIFETIME, "jti": "1"}),
        "Name the algorithm yourself; the header's `alg` is the sender's wish.",
    )
    yield "expired a minute ago", harbor.svid(DESK, ORDERS, exp=NOW - 60), "Check `exp` against `now`."
    yield "without an end", harbor.svid(DESK, ORDERS, exp=None), "Demand `exp`."
    yield (
        "valid for ten years",
        harbor.svid(DESK, ORDERS, exp=NOW + 315_360_000),
        "Bound the lifetime: refuse what ends later than LONGEST from now.",
    )
    yield "without a name", harbor.svid(None, ORDERS), "Demand `sub`."
    yield "whose name is no SPIFFE ID", harbor.svid("order-desk", ORDERS), "Parse `sub` as a SPIFFE ID."
    yield "whose name is a number", harbor.svid(7, ORDERS), "Parse `sub` as a SPIFFE ID, and expect a TypeError."
    yield "whose end is a word", harbor.svid(DESK, ORDERS, exp="soon"), "Let the registry check `exp`."
    yield "that is no token at all", "rubbish", "Raise NotAccepted for what is not a token."


def at_orders(token, now=NOW):
    return verify_workload(token, ORDERS, bundles, {DESK, STOCK}, now)


with check("know-the-workload"):
    honest, with_older_key = harbor.svid(DESK, ORDERS), harbor.svid(DESK, ORDERS, harbor.keys[1])
    with works("order-desk calls orders", hint="Name, key, audience and date are right: accept it."):
        answer = at_orders(honest)
    expect(
        isinstance(answer, dict) and answer.get("sub") == DESK,
        f"verify_workload returned {answer!r}; expected the claims: the caller needs the name in them.",
    )
    with works("order-desk, with Harbor's older key", hint="A bundle may hold several keys: `kid` says which one."):
        at_orders(with_older_key)
    with works("an audience that is a text and no list", hint="RFC 7519 allows both forms."):
        at_orders(harbor.svid(DESK, ORDERS, aud=ORDERS))
    with works(
        "stock-desk of Northwharf calls orders",
        hint="Both firms call their key 2026-11. Use the bundle of the domain in `sub`.",
    ):
        at_orders(northwharf.svid(STOCK, ORDERS))
    for what, token, advice in wrong_tokens():
        with refused(f"a token {what}", by=NotAccepted, hint=f"verify_workload accepted it. {advice}"):
            at_orders(token)
    with refused("the honest token, an hour later", by=NotAccepted, hint="Use the argument `now` for the date."):
        at_orders(honest, NOW + 3_600)
    with refused(
        "the honest token, at a server whose clock says that it ends LONGEST + 1 seconds from now",
        by=NotAccepted,
        hint="Refuse what ends later than LONGEST from `now`. LEEWAY is for its end and not for its length.",
    ):
        at_orders(honest, NOW + LIFETIME - LONGEST - 1)
    with works("the honest token, ten seconds after its end", hint="Clocks disagree: give LEEWAY to the registry."):
        at_orders(honest, NOW + LIFETIME + 10)
    with works("a token for orders and payments", hint="`audience` has to be in `aud`; others may stand beside it."):
        at_orders(harbor.svid(DESK, ORDERS, aud=[PAYMENTS, ORDERS]))
    mixed = [{**key, "use": "jwt-svid" if key["kid"] == "2026-11" else "other"} for key in harbor.bundle()["keys"]]
    with refused(
        "a token signed with a key of the bundle whose use is neither of the two",
        by=NotAccepted,
        hint="Take the keys with use jwt-svid, and not all but those for certificates.",
    ):
        verify_workload(with_older_key, ORDERS, {"harbor.example": {"keys": mixed}}, {DESK}, NOW)


# %% tags=["mistake"] exercise="know-the-workload" title="A good signature is enough" catches="made out to payments"
def verify_workload(token, audience, bundles, allowed, now):
    try:
        domain = SpiffeId(peek(token)[1]["sub"]).trust_domain.name
        entries = [entry for entry in bundles[domain]["keys"] if entry["use"] == "jwt-svid"]
        keys = KeySet.import_key_set({"keys": [{n: v for n, v in e.items() if n != "use"} for e in entries]})
        claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
    except (JoseError, PySpiffeError, ValueError, KeyError, TypeError) as error:
        raise NotAccepted(type(error).__name__) from None
    if claims["sub"] not in allowed:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="A missing audience passes" catches="made out to nobody"
# -         aud={"essential": True, "value": audience},
# +         aud={"value": audience},


# %% tags=["mistake"] exercise="know-the-workload" title="Audience by its beginning" catches="begins like orders"
# -         aud={"essential": True, "value": audience},
# +         aud={"essential": True},
#
# -         raise NotAccepted(type(error).__name__) from None
# +         raise NotAccepted(type(error).__name__) from None
# +     audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
# +     if not any(name.startswith(audience) for name in audiences):
# +         raise NotAccepted("made out to somebody else")


# %% tags=["mistake"] exercise="know-the-workload" title="Audience by `in`" catches="as a text and no list"
# -         aud={"essential": True, "value": audience},
# +         aud={"essential": True},
#
# -         raise NotAccepted(type(error).__name__) from None
# +         raise NotAccepted(type(error).__name__) from None
# +     if audience not in claims["aud"]:
# +         raise NotAccepted("made out to somebody else")


# %% tags=["mistake"] exercise="know-the-workload" title="Look the key up by kid" catches="signed by Northwharf with a key of its own"
# -         domain = SpiffeId(peek(token)[1]["sub"]).trust_domain.name
# -         entries = [entry for entry in bundles[domain]["keys"] if entry["use"] == "jwt-svid"]
# -         keys = KeySet.import_key_set({"keys": [{n: v for n, v in e.items() if n != "use"} for e in entries]})
# -         claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
# +         entries = [entry for bundle in bundles.values() for entry in bundle["keys"] if entry["use"] == "jwt-svid"]
# +         kid = peek(token)[0]["kid"]
# +         for entry in entries:
# +             if entry["kid"] == kid:
# +                 keys = KeySet.import_key_set({"keys": [{n: v for n, v in entry.items() if n != "use"}]})
# +                 try:
# +                     claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
# +                 except JoseError:
# +                     continue
# +                 break
# +         else:
# +             raise NotAccepted("no such key")


# %% tags=["mistake"] exercise="know-the-workload" title="Take the key that the token brings" catches="brings its own key"
# -         keys = KeySet.import_key_set({"keys": [{n: v for n, v in e.items() if n != "use"} for e in entries]})
# +         keys = KeySet.import_key_set({"keys": [{n: v for n, v in e.items() if n != "use"} for e in entries]})
# +         header = peek(token)[0]
# +         if "jwk" in header:
# +             keys = ECKey.import_key(header["jwk"])


# %% tags=["mistake"] exercise="know-the-workload" title="The algorithm that the header names" catches="without a signature"
# -         claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
# +         claims = jwt.decode(token, keys, algorithms=[peek(token)[0]["alg"]]).claims


# %% tags=["mistake"] exercise="know-the-workload" title="Every key of the bundle" catches="key for certificates"
# -         entries = [entry for entry in bundles[domain]["keys"] if entry["use"] == "jwt-svid"]
# +         entries = bundles[domain]["keys"]


# %% tags=["mistake"] exercise="know-the-workload" title="Everybody in an allowed trust domain" catches="night-desk, which has no business"
# -     if claims["sub"] not in allowed:
# +     if domain not in {SpiffeId(name).trust_domain.name for name in allowed}:


# %% tags=["mistake"] exercise="know-the-workload" title="The name by its beginning" catches="order-desk-test"
# -     if claims["sub"] not in allowed:
# +     if not claims["sub"].startswith(tuple(allowed)):


# %% tags=["mistake"] exercise="know-the-workload" title="The path is the name" catches="an order-desk that is Northwharf's"
# -     if claims["sub"] not in allowed:
# +     if SpiffeId(claims["sub"]).path not in {SpiffeId(name).path for name in allowed}:


# %% tags=["mistake"] exercise="know-the-workload" title="The trust domain by its beginning" catches="only begins like Harbor's"
# -     if claims["sub"] not in allowed:
# +     wanted = [SpiffeId(name) for name in allowed]
# +     found = SpiffeId(claims["sub"])
# +     if not any(found.path == w.path and domain.startswith(w.trust_domain.name) for w in wanted):


# %% tags=["mistake"] exercise="know-the-workload" title="Any end will do" catches="valid for ten years"
# -     if claims["exp"] > now + LONGEST:
# -         raise NotAccepted("valid for too long")


# %% tags=["mistake"] exercise="know-the-workload" title="Catch the library's errors only" catches="KeyError"
# -     except (JoseError, PySpiffeError, ValueError, KeyError, TypeError) as error:
# +     except (JoseError, PySpiffeError, ValueError) as error:


# %% tags=["mistake"] exercise="know-the-workload" title="Refuse every token" catches="No longer works: order-desk calls orders"
def verify_workload(token, audience, bundles, allowed, now):
    raise NotAccepted("closed")


# %% [markdown] tags=["solution"] exercise="know-the-workload"
# The unverified `sub` chooses the bundle and nothing more; whoever writes a false name there chooses a key that does
# not fit. After that the token's own claims count, compared whole. `kid` only picks among keys that you have already
# decided to trust.

# %% [markdown]
# ### What a library does for you, and what it leaves
#
# `spiffe`, the Python library, validates JWT-SVIDs too. Here it reads the same tokens, with the bundle of the domain in
# `sub`. Where the lists differ, the work is yours, whichever library you use.


# %%
def by_library(token):
    """What spiffe's own validation says about a token."""
    try:
        domain = SpiffeId(peek(token)[1]["sub"]).trust_domain.name
        document = bundles[domain]
    except (PySpiffeError, ValueError, KeyError, TypeError):
        domain, document = "harbor.example", bundles["harbor.example"]  # no name, no bundle: let it try Harbor's
    bundle = JwtBundle.parse(TrustDomain(domain), json.dumps(document).encode())
    return JwtSvid.parse_and_validate(token, bundle, {ORDERS}).spiffe_id


verdicts = {}
for what, token, _ in wrong_tokens():
    try:
        by_library(token)
        verdicts.setdefault("accepted", []).append(what)
    except PySpiffeError:
        verdicts.setdefault("refused", []).append(what)
    except (ValueError, KeyError, TypeError) as error:
        verdicts.setdefault(f"{type(error).__name__}, which is no error of the library", []).append(what)
for verdict, tokens in verdicts.items():
    print(f"\n{verdict}:", *tokens, sep="\n  ")

# %% [markdown]
# Read the list of the accepted ones: *which* workload may call is not the library's to know, nor how long is too long.
# The key for certificates passes because `JwtBundle` takes every key it is given; hand it the JWT keys only. And the
# token without an end comes out as a `KeyError`: a server that catches the library's errors answers 500 here.
#
# ## Exercise 2: count it once
#
# A signed token is a **bearer token**: whoever holds it may use it until it ends. For a token that buys something once,
# such as the refund token that you will issue in exercise 3, `payments` can do better: remember its id (`jti`) and take it once.
#
# Not every token may be counted. An honest workload uses one JWT-SVID for several calls: the platform's local agent hands the
# same one out again while it is fresh, and a Kubernetes token stays in its file for minutes. Count what is made for one act.
#
# Write the memory. Several worker processes share it, and it outlives a restart; so it is a database file. A new
# connection for each call keeps it simple: `with closing(sqlite3.connect(path)) as db, db:` commits at the end.
# A primary key that is there already makes `insert` raise `sqlite3.IntegrityError`.
#
# How long has an id to be remembered? As long as a server would take the token: until `expires + LEEWAY`, that second
# included. Not a second less, and not for ever.
#
# And when the file is locked or broken, nobody can tell whether a token was used: raise `Replayed` then, too. `sqlite3.Error` is
# the parent of all errors of the database, `IntegrityError` included.


# %%
class Replayed(Exception):
    """This token was used before, or nobody could tell."""


# %% tags=["exercise"] id="count-it-once" title="Count it once" minutes=9
class Once:
    """Remembers which tokens were used, in the database file at `path`.

    Once(path): the file may be new, or hold what another worker noted.

    take(issuer, jti, expires, now): note a token as used. Raise Replayed when it was used before, or when `jti` is no
    text or empty. `issuer` is who chose the id: two issuers may choose the same. `expires` is the
    token's `exp`, `now` seconds since 1970. What can no longer be replayed is forgotten here. A token that has ended
    already does not come this far, so what to do about one is not asked.

    len(once): how many ids are remembered.
    """

    ### BEGIN SOLUTION
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        try:
            with closing(sqlite3.connect(self.path)) as db, db:
                db.execute("delete from used where until < ?", (now,))
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
        except sqlite3.Error as error:  # it is there already, or the file cannot be read or written
            raise Replayed(str(error)) from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]

    ### STUB
    # def __init__(self, path):
    #     self.used = set()
    #
    # def take(self, issuer, jti, expires, now):
    #     self.used.add(jti)
    #
    # def __len__(self):
    #     return len(self.used)
    ### END SOLUTION


# %% tags=["check"] exercise="count-it-once"
def new_memory():
    """The path of a database that does not exist yet."""
    return lab.dir / f"used-{secrets.token_hex(4)}.sqlite"


@contextmanager
def locked(path):
    """Somebody else holds the file, and a worker has no patience: it is told so at once."""
    plain = sqlite3.connect
    with mock.patch.object(sqlite3, "connect", lambda *a, **k: plain(*a[:1], **{**k, "timeout": 0})):
        worker = Once(path)
        with closing(plain(path, isolation_level=None)) as somebody:
            somebody.execute("begin exclusive")
            yield worker


def two_at_once(path, jti, expires):
    """Two workers take one token in the same moment. Returns what each of them gets: None, or an error."""
    both, answers = threading.Barrier(2), []

    class Meeting(sqlite3.Cursor):
        """Whoever has looked waits a moment for the other to look as well. Nothing else is slowed down."""

        def execute(self, statement, *values):
            super().execute(statement, *values)
            if statement.lstrip().lower().startswith("select"):
                with suppress(threading.BrokenBarrierError):
                    both.wait(2)
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, factory=Meeting):
            return super().cursor(factory)

        def execute(self, *statement):
            return self.cursor().execute(*statement)

    def work():
        try:
            answers.append(Once(path).take(ISSUER, jti, expires, NOW))
        except Exception as error:
            # What it came from holds the frames, and they the connection: without them the database is closed.
            error.__context__ = None
            answers.append(error.with_traceback(None))

    slow = mock.patch.object(
        sqlite3, "connect", lambda *a, c=sqlite3.connect, **k: c(*a, **{"factory": Connection, **k})
    )
    with slow:
        workers = [threading.Thread(target=work) for _ in range(2)]
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
    return answers


with check("count-it-once"):
    path = new_memory()
    worker, end = Once(path), NOW + LIFETIME
    with works("two tokens, each for the first time", hint="Only a second use is a replay."):
        worker.take(ISSUER, "a1", end, NOW)
        worker.take(ISSUER, "a2", end, NOW)
    with works(
        "other issuers happen to choose the same ids",
        hint="An id is unique for one issuer: remember issuer and jti, as two values.",
    ):
        worker.take("https://id.northwharf.example", "a1", end, NOW)
        worker.take("https://id.northwharf.examplea", "1", end, NOW)
    expect(
        len(worker) == 4,
        f"{len(worker)} ids are remembered after four tokens; expected 4. Is the row committed before the connection is closed, and are "
        "issuer and jti two values?",
    )
    with refused(
        "the same token again",
        by=Replayed,
        hint="What is noted already has to end in Replayed. `insert or ignore`, or an error that is caught and dropped, ends in nothing.",
    ):
        worker.take(ISSUER, "a1", end, NOW + 1)
    with refused(
        "the same token at another worker",
        by=Replayed,
        hint="The memory lives in one process. Keep it in the file at `path`, which all workers share.",
    ):
        Once(path).take(ISSUER, "a2", end, NOW + 1)
    for jti in (None, "", 7):
        with refused(
            f"a token whose id is {jti!r}", by=Replayed, hint="Without an id a replay cannot be seen: refuse."
        ):
            worker.take(ISSUER, jti, end, NOW)
    with refused(
        "a token in its last second, LEEWAY after exp",
        by=Replayed,
        hint="The id was forgotten while a server would still take the token: keep it until expires + LEEWAY.",
    ):
        worker.take(ISSUER, "a1", end, end + LEEWAY)
    with works("a fresh token, later", hint="Other tokens go on."):
        worker.take(ISSUER, "b1", end + 1_000, end + LEEWAY + 1)
    expect(
        len(worker) == 1,
        f"{len(worker)} ids are remembered when one token is alive; expected 1: delete what has ended, or the file grows for ever.",
    )
    with refused("that fresh token, twice", by=Replayed, hint="Forgetting the old ones must not forget this one."):
        worker.take(ISSUER, "b1", end + 1_000, end + LEEWAY + 2)
    with refused(
        "one of two workers that take a token in the same moment",
        by=Replayed,
        hint="Both looked, both found nothing, both took it. To look and to note have to be one step: let the insert itself fail, on a "
        "primary key over issuer and jti.",
    ):
        answers = two_at_once(path, "b2", end + 1_000)
        expect(
            answers.count(None) > 0,
            f"Two workers took a fresh token in the same moment and both got {answers[0]!r}; expected one to get it.",
        )
        for error in answers:
            if error:
                raise error
    for number in range(12):
        worker.take(ISSUER, f"busy-{number}", end + 1_000, end + LEEWAY + 2)
    with refused(
        "the first token after twelve others",
        by=Replayed,
        hint="An id was forgotten because others came; forget by time only.",
    ):
        worker.take(ISSUER, "b1", end + 1_000, end + LEEWAY + 3)
    with (
        locked(path) as other,
        refused(
            "a token while the file is locked",
            by=Replayed,
            hint="Nobody could tell whether it was used: an error of the database means no. Catch sqlite3.Error and raise Replayed.",
        ),
    ):
        other.take(ISSUER, "b3", end + 1_000, end + LEEWAY + 2)


# %% tags=["mistake"] exercise="count-it-once" title="A set in memory" catches="the same token at another worker"
class Once:
    def __init__(self, path):
        self.used = {}

    def take(self, issuer, jti, expires, now):
        self.used = {key: until for key, until in self.used.items() if until >= now}
        if not isinstance(jti, str) or not jti or (issuer, jti) in self.used:
            raise Replayed
        self.used[issuer, jti] = expires + LEEWAY

    def __len__(self):
        return len(self.used)


# %% tags=["mistake"] exercise="count-it-once" title="Look first, then insert" catches="Both looked, both found nothing"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until)")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            if db.execute("select 1 from used where issuer = ? and jti = ?", (issuer, jti)).fetchone():
                raise Replayed("a token that was used before")
            db.execute("delete from used where until < ?", (now,))
            db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="Leave out the commit" catches="Is the row committed"
# -             with closing(sqlite3.connect(self.path)) as db, db:
# +             with closing(sqlite3.connect(self.path)) as db:


# %% tags=["mistake"] exercise="count-it-once" title="Insert or ignore" catches="`insert or ignore`, or an error that is caught"
# -                 db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
# +                 db.execute("insert or ignore into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))


# %% tags=["mistake"] exercise="count-it-once" title="Busy, so let it pass" catches="while the file is locked"
# -         except sqlite3.Error as error:  # it is there already, or the file cannot be read or written
# +         except sqlite3.OperationalError:
# +             return
# +         except sqlite3.Error as error:  # it is there already, or the file cannot be read or written


# %% tags=["mistake"] exercise="count-it-once" title="The id alone" catches="other issuers happen to choose"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="Glue issuer and id together" catches="other issuers happen to choose"
# -                 db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
# +                 db.execute("insert into used values ('', ?, ?)", (issuer + jti, expires + LEEWAY))


# %% tags=["mistake"] exercise="count-it-once" title="Forget at exp" catches="in its last second"
# -                 db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
# +                 db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires))


# %% tags=["mistake"] exercise="count-it-once" title="Forget after a minute" catches="in its last second"
# -                 db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
# +                 db.execute("insert into used values (?, ?, ?)", (issuer, jti, now + 60))


# %% tags=["mistake"] exercise="count-it-once" title="Never forget" catches="the file grows for ever"
# -                 db.execute("delete from used where until < ?", (now,))


# %% tags=["mistake"] exercise="count-it-once" title="Keep the newest ten" catches="after twelve others"
# -                 db.execute("delete from used where until < ?", (now,))
# +                 db.execute("delete from used where until < ?", (now,))
# +                 db.execute("delete from used where rowid not in (select rowid from used order by rowid desc limit 10)")


# %% tags=["mistake"] exercise="count-it-once" title="No id, no check" catches="whose id is None"
# -             raise Replayed("a token without an id")
# +             return  # RFC 7519 does not demand a jti


# %% tags=["mistake"] exercise="count-it-once" title="Note it, and let it pass" catches="the same token again"
# -         except sqlite3.Error as error:  # it is there already, or the file cannot be read or written
# -             raise Replayed(str(error)) from None
# +         except sqlite3.IntegrityError:
# +             pass
# +         except sqlite3.Error as error:  # it is there already, or the file cannot be read or written
# +             raise Replayed(str(error)) from None


# %% tags=["mistake"] exercise="count-it-once" title="Take no token" catches="No longer works: two tokens"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if True:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% [markdown] tags=["solution"] exercise="count-it-once"
# The insert *is* the check. "Look first, then insert" passes every test with one worker and loses the race of two; the
# primary key decides it inside the database. A file that is locked for long refuses honest refunds; one that lets them pass
# while it is locked invites whoever can lock it. The check runs that race with two threads, and has each wait after its look until
# the other has looked; without the wait it would be lost once in a long while, on a busy day.
#
# Take an id only after the signature and the claims have been checked. Otherwise anybody fills your database, or uses
# an id up before its owner does.

# %% [markdown]
# ## Exercise 3: name the actor
#
# Exercise 1 tells which workload calls. It does not tell **for whom**. `order-desk` may refund; Tom, a trainee,
# may not. When Tom asks `order-desk`, the refund must fail, although the agent could. An agent that lends its rights to
# whoever talks to it is called a *confused deputy*.
#
# Here you are `id.harbor.example` and decide about an exchange. Both tokens have been
# verified already: `agent` are the claims of the JWT-SVID of whoever asks for the exchange (exercise 1),
# `subject` those of the token to trade in, which id.harbor.example has signed. Dana's sign-in gave her this one:
#
# ```text
# {"sub": "dana@harbor.example", "aud": DESK, "scope": "orders.write payments.refund", "exp": ..., "jti": ...}
# ```
#
# Grant a token when **all** of this holds, and raise `ExchangeRefused` otherwise:
#
# 1. The subject token is made out to this agent: its `aud` is the agent's `sub`. Nobody trades in another's token.
# 2. `form["scope"]` names at least one scope, words with blanks between.
# 3. Each of them is in `GRANTS[(agent's SPIFFE ID, form["audience"])]`, which says what the *agent* may do there, **and**
#    in the subject token's `scope`, which says what the *person* may do.
# 4. The chain of actors of the *new* token has at most `LONGEST_CHAIN` links.
#
# The new token: `iss` is ISSUER, `sub` stays the person, `aud` is `form["audience"]`, `scope` is what was asked (one text again, words
# with blanks between), `exp` is at most `LIFETIME` from `now` and never later than the subject token's, `jti` is fresh
# (`secrets.token_urlsafe(12)`), and nothing else of the old token comes along. `act` is `{"sub": the agent}`. Had the subject
# token an `act` already, that one goes *inside*: `{"sub": the agent, "act": {"sub": the one that acted before}}`.
#
# Then write `acting`, with which `payments` reads such a token. RFC 8693: the outermost actor is the one that acts. Those
# inside are history, for the record, and no ground for a decision.


# %%
class ExchangeRefused(Exception):
    """id.harbor.example does not grant this token."""


GRANTS = {
    (DESK, ORDERS): {"orders.write", "payments.refund"},
    (DESK, MAILBOX): {"mail.read"},
    (NIGHT, MAILBOX): {"mail.read"},
    (ORDERS, PAYMENTS): {"payments.refund"},
    (PAYMENTS, PAYOUT): {"payments.refund"},
}
LONGEST_CHAIN = 2


# %% tags=["exercise"] id="name-the-actor" title="Name the actor" minutes=15
### BEGIN SOLUTION
def grant(agent, subject, form, now):
    """Return the claims of a new token with which `agent` acts for the subject; raise ExchangeRefused if it may not."""
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
    if not asked or not asked <= both_may:
        raise ExchangeRefused("a scope that the agent or the person does not have")
    act = {"sub": agent["sub"]}
    if "act" in subject:
        act["act"] = subject["act"]
    length, link = 0, act
    while link:
        length, link = length + 1, link.get("act")
    if length > LONGEST_CHAIN:
        raise ExchangeRefused("too many hands")
    return {
        "iss": ISSUER,
        "sub": subject["sub"],
        "act": act,
        "aud": form["audience"],
        "scope": " ".join(sorted(asked)),
        "exp": min(now + LIFETIME, subject["exp"]),
        "jti": secrets.token_urlsafe(12),
    }


def acting(claims, actors):
    """Return the agents behind a token as a list, the one that acts now first.

    Raise NotAccepted when there is none, or when the one that acts now is not in `actors`.
    """
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


### STUB
# def grant(agent, subject, form, now):
#     """Return the claims of a new token with which `agent` acts for the subject; raise ExchangeRefused if it may not."""
#     raise NotImplementedError("Name the actor")
#
#
# def acting(claims, actors):
#     """Return the agents behind a token as a list, the one that acts now first.
#
#     Raise NotAccepted when there is none, or when the one that acts now is not in `actors`.
#     """
#     raise NotImplementedError("Name the actor")
### END SOLUTION


# %% tags=["check"] exercise="name-the-actor"
def signed_in(person, agent, scope, **changes):
    """The claims of the token that a person's sign-in gave to an agent."""
    return {"iss": ISSUER, "sub": person, "aud": agent, "scope": scope, "exp": NOW + 200, "jti": "s1", **changes}


def ask(agent, subject, audience, scope, **more):
    """Ask for an exchange, as the workload `agent`, and return the claims of what comes out."""
    return grant({"sub": agent, "jti": "w1"}, subject, {"audience": audience, "scope": scope, **more}, NOW)


with check("name-the-actor"):
    dana = signed_in(DANA, DESK, "orders.write payments.refund mail.read", browser="of Dana")
    both = "orders.write payments.refund"
    with works("order-desk acts for Dana at orders", hint="Agent and person have both scopes: grant it."):
        first = ask(DESK, dana, ORDERS, both)
    expect(
        isinstance(first, dict) and first.get("sub") == DANA,
        f"The token says that {first.get('sub') if isinstance(first, dict) else first!r} asks; expected {DANA}: "
        "`sub` is the person, `act` the agent.",
    )
    expect(
        first.get("act") == {"sub": DESK},
        f"The token says about who acts: {first.get('act')!r}; expected {{'sub': order-desk}}. Without `act` the ledger "
        "cannot tell the agent from the person.",
    )
    expect(
        isinstance(first.get("scope"), str),
        f"The token's scope is {first.get('scope')!r}; expected one text, words with blanks between, as in the token that was traded in.",
    )
    expect(
        (first.get("iss"), first.get("aud"), set(first["scope"].split())) == (ISSUER, ORDERS, set(both.split())),
        f"The token says iss={first.get('iss')!r}, aud={first.get('aud')!r}, scope={first.get('scope')!r}; expected id.harbor.example, "
        "orders, and the two scopes that were asked for.",
    )
    expect(
        isinstance(first.get("exp"), int) and NOW < first["exp"] <= dana["exp"],
        "The new token outlives the one that was traded in; expected `exp` to be the earlier of the two ends.",
    )
    expect(
        "browser" not in first,
        "The new token has a claim `browser`, which stood in the one that was traded in; expected none but those that are listed.",
    )
    long = ask(DESK, {**dana, "exp": NOW + 5_000}, ORDERS, "orders.write")
    expect(
        long["scope"] == "orders.write",
        f"One scope was asked for, orders.write, and the token says {long['scope']!r}; expected what was asked, and no more.",
    )
    expect(long["exp"] <= NOW + LIFETIME, "The new token lives longer than LIFETIME; expected at most now + LIFETIME.")
    expect(
        first.get("jti") not in (None, "", "s1", "w1") and first["jti"] != long.get("jti"),
        "The new token's jti is missing, or was used for another token: make a fresh one, or the second refund of the "
        "day looks like a replay of the first.",
    )
    with works("orders acts for Dana at payments, in turn", hint="`orders` trades in the token made out to it."):
        second = ask(ORDERS, first, PAYMENTS, "payments.refund")
    expect(second.get("sub") == DANA, f"After two exchanges {second.get('sub')!r} asks; expected {DANA} still.")
    expect(
        second.get("act") == {"sub": ORDERS, "act": {"sub": DESK}},
        f"After two exchanges `act` is {second.get('act')!r}; expected orders outside, because it acts now, and order-desk "
        "inside: without the chain the ledger forgets which agent asked.",
    )
    with works("payments reads who acts", hint="`orders` acts, and order-desk acted before."):
        chain = acting(second, {ORDERS})
    expect(
        chain == [ORDERS, DESK], f"acting returned {chain!r}; expected [orders, order-desk], the current actor first."
    )

    with works(
        "night-desk reads mail for Dana, and says it is order-desk", hint="It may read mail; see what is written down."
    ):
        at_night = ask(NIGHT, signed_in(DANA, NIGHT, "mail.read"), MAILBOX, "mail.read", actor=DESK)
    expect(
        at_night.get("act") == {"sub": NIGHT},
        f"night-desk is written down as {at_night.get('act')!r}: the actor is whoever proved its name, not a field of the form.",
    )

    tom = signed_in(TOM, DESK, "orders.read")
    trainee = "Grant only what the agent *and* the person may: the token's scope bounds it."
    wrong = {
        "order-desk refunds because Tom, a trainee, asks": ((DESK, tom, ORDERS, both), trainee),
        "somebody who may only request refunds gets one": (
            (DESK, signed_in(TOM, DESK, "orders.write payments.refund.request"), ORDERS, "payments.refund"),
            "Compare scopes as whole words.",
        ),
        "night-desk trades in Dana's token for order-desk": (
            (NIGHT, dana, MAILBOX, "mail.read"),
            "The subject token was made out to another agent: compare its `aud` with the agent's `sub`.",
        ),
        "order-desk trades in a token for order-desk-test": (
            (DESK, signed_in(DANA, TEST_DESK, both), ORDERS, both),
            "Compare `aud` with the agent's `sub` as a whole.",
        ),
        "night-desk wants to refund for Dana": (
            (NIGHT, signed_in(DANA, NIGHT, both), PAYMENTS, "payments.refund"),
            "GRANTS says what the agent may do where.",
        ),
        "order-desk goes to payments without orders": (
            (DESK, dana, PAYMENTS, "payments.refund"),
            "GRANTS is per agent and audience: a right at orders is none at payments.",
        ),
        "order-desk asks for two scopes at orders and may have one": (
            (DESK, dana, ORDERS, "orders.write mail.read"),
            "Each scope has to be allowed; with one that is not, refuse the whole request.",
        ),
        "an exchange that names no scope": ((DESK, dana, ORDERS, ""), "No scope is not every scope: refuse."),
        "a third hand in the chain": (
            (PAYMENTS, second, PAYOUT, "payments.refund"),
            "Put the whole `act` of the old token inside, count the links after adding the new one, and stop at LONGEST_CHAIN.",
        ),
    }
    for what, (request, advice) in wrong.items():
        with refused(what, by=ExchangeRefused, hint=f"A token was granted. {advice}"):
            ask(*request)
    stolen_chain = {"sub": DANA, "act": {"sub": NIGHT, "act": {"sub": ORDERS}}}
    for what, claims in {
        "payments meets night-desk, with orders in its past": stolen_chain,
        "payments meets order-desk itself": {"sub": DANA, "act": {"sub": DESK}},
        "payments meets a token without an actor": {"sub": DANA},
    }.items():
        with refused(
            what, by=NotAccepted, hint="acting accepted it. Only the outermost `act` acts; the rest is history."
        ):
            acting(claims, {ORDERS})


# %% tags=["mistake"] exercise="name-the-actor" title="Write down the name in the form" catches="night-desk is written down as"
# -     act = {"sub": agent["sub"]}
# +     act = {"sub": form.get("actor", agent["sub"])}


# %% tags=["mistake"] exercise="name-the-actor" title="A token for Dana, like Dana's own" catches="Without `act` the ledger"
# -         "act": act,


# %% tags=["mistake"] exercise="name-the-actor" title="Scopes as a list" catches="expected one text"
# -         "scope": " ".join(sorted(asked)),
# +         "scope": sorted(asked),


# %% tags=["mistake"] exercise="name-the-actor" title="The agent asks, the person acts" catches="`sub` is the person"
# -         "sub": subject["sub"],
# -         "act": act,
# +         "sub": agent["sub"],
# +         "act": {"sub": subject["sub"]},


# %% tags=["mistake"] exercise="name-the-actor" title="The last one counts" catches="forgets which agent asked"
# -     if "act" in subject:
# -         act["act"] = subject["act"]


# %% tags=["mistake"] exercise="name-the-actor" title="Add the new actor at the end" catches="orders outside"
# -     act = {"sub": agent["sub"]}
# -     if "act" in subject:
# -         act["act"] = subject["act"]
# +     act = json.loads(json.dumps(subject.get("act", {})))
# +     last = act
# +     while "act" in last:
# +         last = last["act"]
# +     if last:
# +         last["act"] = {"sub": agent["sub"]}
# +     else:
# +         act = {"sub": agent["sub"]}


# %% tags=["mistake"] exercise="name-the-actor" title="The agent's rights are enough" catches="Tom, a trainee"
# -     both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
# +     both_may = GRANTS.get((agent["sub"], form["audience"]), set())


# %% tags=["mistake"] exercise="name-the-actor" title="Scopes by substring" catches="may only request refunds"
# -     both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
# +     may = GRANTS.get((agent["sub"], form["audience"]), set())
# +     both_may = {scope for scope in may if scope in subject["scope"]}


# %% tags=["mistake"] exercise="name-the-actor" title="The person's rights are enough" catches="night-desk wants to refund"
# -     both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
# +     both_may = set(subject["scope"].split())


# %% tags=["mistake"] exercise="name-the-actor" title="Rights of the agent, wherever" catches="order-desk goes to payments without orders"
# -     both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
# +     both_may = {s for (who, _), scopes in GRANTS.items() if who == agent["sub"] for s in scopes} & set(
# +         subject["scope"].split()
# +     )


# %% tags=["mistake"] exercise="name-the-actor" title="Whoever holds the token may trade it" catches="night-desk trades in"
# -     if subject["aud"] != agent["sub"]:
# -         raise ExchangeRefused("the subject token is made out to somebody else")


# %% tags=["mistake"] exercise="name-the-actor" title="No scope means all" catches="names no scope"
# -     if not asked or not asked <= both_may:
# +     asked = asked or both_may
# +     if not asked <= both_may:


# %% tags=["mistake"] exercise="name-the-actor" title="A fresh five minutes at each hop" catches="outlives"
# -         "exp": min(now + LIFETIME, subject["exp"]),
# +         "exp": now + LIFETIME,


# %% tags=["mistake"] exercise="name-the-actor" title="Copy the token and change what differs" catches="jti is missing, or was used"
# -         "jti": secrets.token_urlsafe(12),
# +         "jti": subject["jti"],


# %% tags=["mistake"] exercise="name-the-actor" title="A chain without an end" catches="a third hand"
# -     if length > LONGEST_CHAIN:
# -         raise ExchangeRefused("too many hands")


# %% tags=["mistake"] exercise="name-the-actor" title="Somebody in the chain is known" catches="with orders in its past"
# -     if not chain or chain[0] not in actors:
# +     if not set(chain) & set(actors):


# %% tags=["mistake"] exercise="name-the-actor" title="Nobody acts for anybody" catches="No longer works: order-desk acts for Dana"
def grant(agent, subject, form, now):
    raise ExchangeRefused("no delegation")


def acting(claims, actors):
    raise NotAccepted("no delegation")


# %% [markdown] tags=["solution"] exercise="name-the-actor"
# Two sets and their intersection carry the decision: what the agent may do at this audience, and what the person may do.
# A hijacked agent can then do no more than the people who talk to it, and a person no more through an agent than alone.
# `act` is never a field that somebody fills in; it is the name that was proved.

# %% [markdown]
# ## Exercise 4: change the key
#
# Everything above hangs on one signing key. Changing it *as planned* must not refuse a single honest token. Servers do not see
# a new bundle at once: each fetches it every `refresh` seconds, and you do not know when in that time. A token lives
# `lifetime` seconds (clocks that disagree, and with them LEEWAY, are left out here). Three steps:
#
# - `"publish new"`: the new public key joins the old one in the bundle;
# - `"sign with new"`: tokens are signed with the new key from here on;
# - `"withdraw old"`: the old public key leaves the bundle.
#
# Return them as a list of `(second, step)`, counted from now, in time for every server, and with the old key out of the
# bundle by `2 * refresh + lifetime` at the latest.


# %% tags=["exercise"] id="change-the-key" title="Change the key" minutes=5
def rotation(refresh, lifetime):
    """Return when to take each of the three steps: [(seconds from now, step), ...]."""
    ### BEGIN SOLUTION
    return [(0, "publish new"), (refresh, "sign with new"), (refresh + lifetime, "withdraw old")]
    ### STUB
    # return [(0, "publish new"), (0, "sign with new"), (0, "withdraw old")]
    ### END SOLUTION


# %% [markdown]
# The check plays the plan through, second by second, with three servers that fetch the bundle at different moments, and reads
# each token with your `verify_workload`. At the end somebody finds the old private key.

# %% tags=["check"] exercise="change-the-key"
STEPS = ("publish new", "sign with new", "withdraw old")


class Drill:
    """A rotation played through: which key signs at a second, and which bundle a server holds then."""

    old, new = Authority("harbor.example", "old"), Authority("harbor.example", "new")
    published = tuple(who.bundle()["keys"] for who in (new, old))

    def __init__(self, plan, refresh, answers):
        self.when, self.refresh, self.answers = {step: second for second, step in plan}, refresh, answers

    def signer(self, second):
        return self.new if second >= self.when["sign with new"] else self.old

    def show(self, signer, second, phase):
        """Show a token to a server that fetches at phase, phase + refresh, ... Raises NotAccepted; the same question is asked once."""
        fetched = phase + (second - phase) // self.refresh * self.refresh
        asked = (signer is self.new, fetched >= self.when["publish new"], fetched < self.when["withdraw old"])
        if asked not in self.answers:
            keys = [key for held, keys in zip(asked[1:], self.published, strict=True) if held for key in keys]
            try:
                verify_workload(signer.svid(DESK, ORDERS), ORDERS, {"harbor.example": {"keys": keys}}, {DESK}, NOW)
                self.answers[asked] = True
            except NotAccepted:
                self.answers[asked] = False
        if not self.answers[asked]:
            held = [name for name, there in (("new", asked[1]), ("old", asked[2])) if there]
            raise NotAccepted(
                f"at second {second} a token signed with the {'new' if asked[0] else 'old'} key is shown to a server that fetched at "
                f"second {fetched} and holds: {' and '.join(held) or 'no key'}"
            )


with check("change-the-key"):
    answers = {}
    for refresh, lifetime in ((300, 300), (60, 600), (600, 60)):
        plan = rotation(refresh, lifetime)
        try:
            complete = sorted(step for _, step in plan) == sorted(STEPS) and min(int(s) for s, _ in plan) >= 0
        except (TypeError, ValueError):
            complete = False
        expect(complete, f"rotation returned {plan!r}; expected each of the three steps once, as (second, step).")
        drill, phases = Drill(plan, refresh, answers), (0, refresh // 2, refresh - 1)
        seconds = range(-lifetime, 3 * (refresh + lifetime))
        with works(
            f"no honest token is refused (bundles every {refresh} s, tokens of {lifetime} s)",
            hint="Ask before each step: which server has not fetched the last one yet, and which token of the old key still lives?",
        ):
            for second in seconds:
                for phase in phases:
                    drill.show(drill.signer(second), second, phase)
                    drill.show(drill.signer(second), second + lifetime - 1, phase)
        with refused(
            f"the old private key, found after {3 * refresh + lifetime} s",
            by=NotAccepted,
            hint="A server still takes the old key: withdraw it by 2 * refresh + lifetime.",
        ):
            drill.show(drill.old, 3 * refresh + lifetime, refresh - 1)


# %% tags=["mistake"] exercise="change-the-key" title="Sign at once" catches="No longer works: no honest token is refused"
def rotation(refresh, lifetime):
    return [(0, "publish new"), (0, "sign with new"), (refresh + lifetime, "withdraw old")]


# %% tags=["mistake"] exercise="change-the-key" title="Sign, then publish" catches="No longer works: no honest token is refused"
def rotation(refresh, lifetime):
    return [(0, "sign with new"), (refresh, "publish new"), (refresh + lifetime, "withdraw old")]


# %% tags=["mistake"] exercise="change-the-key" title="Withdraw when the new key signs" catches="No longer works: no honest token is refused"
def rotation(refresh, lifetime):
    return [(0, "publish new"), (refresh, "sign with new"), (refresh, "withdraw old")]


# %% tags=["mistake"] exercise="change-the-key" title="Wait for the bundles only" catches="bundles every 60 s, tokens of 600 s"
def rotation(refresh, lifetime):
    return [(0, "publish new"), (refresh, "sign with new"), (2 * refresh, "withdraw old")]


# %% tags=["mistake"] exercise="change-the-key" title="Numbers that fit one shop" catches="found after 780 s"
def rotation(refresh, lifetime):
    return [(0, "publish new"), (300, "sign with new"), (900, "withdraw old")]


# %% tags=["mistake"] exercise="change-the-key" title="Keep the old key for a year" catches="the old private key"
def rotation(refresh, lifetime):
    return [(0, "publish new"), (refresh, "sign with new"), (31_536_000, "withdraw old")]


# %% tags=["mistake"] exercise="change-the-key" title="The order after a theft" catches="No longer works: no honest token is refused"
def rotation(refresh, lifetime):
    return [(0, "withdraw old"), (0, "publish new"), (refresh, "sign with new")]


# %% [markdown] tags=["solution"] exercise="change-the-key"
# Publish, wait one `refresh`, sign, wait one `lifetime`, withdraw. Each wait answers one question: who has not seen the
# new key yet, and what is still alive of the old one. When a key was **stolen**, the order is another: withdraw first, and
# let honest tokens fail for some minutes, because the thief signs as well as you do.

# %% [markdown]
# ## All of it at once
#
# The shop with what you wrote in exercises 1 to 3 (the change of a key was a drill). `id.harbor.example` reads JWT-SVIDs and
# exchanges, and writes into each token when it was issued (`iat`); `payments` takes only tokens that id.harbor.example signed, made
# out to it, with `orders` as the actor, and counts each once. A refund above 50 euros is for a person to decide.


# %%
class Identity:
    """id.harbor.example: verifies both tokens, asks grant(), signs what it says."""

    def __init__(self, agents):
        self.agents = set(agents)

    def sign(self, claims, now=NOW):
        return jwt.encode({"alg": "ES256", "kid": "id-1"}, {**claims, "iat": now}, idp.keys[0])

    def read(self, actor_token, subject_token, now):
        """The claims of both tokens; NotAccepted when one of them does not count."""
        agent = verify_workload(actor_token, ISSUER, bundles, self.agents, now)
        return agent, own_claims(subject_token, agent["sub"], now)

    def exchange(self, actor_token, subject_token, audience, scope, now=NOW):
        agent, subject = self.read(actor_token, subject_token, now)
        return self.sign(grant(agent, subject, {"audience": audience, "scope": scope}, now), now)


def own_claims(token, audience, now):
    """The claims of a token that id.harbor.example signed for `audience`; NotAccepted for any other."""
    demanded = {"iss": ISSUER, "aud": audience, "exp": None, "sub": None, "scope": None}
    rules = {name: {"essential": True} | ({"value": value} if value else {}) for name, value in demanded.items()}
    try:
        claims = jwt.decode(token, idp.keys[0], algorithms=["ES256"]).claims
        JWTClaimsRegistry(now=now, leeway=LEEWAY, **rules).validate(claims)
    except (JoseError, ValueError) as error:
        raise NotAccepted(type(error).__name__) from None
    return claims


class Paid(NamedTuple):
    """What one refund was, for whoever adds them up. `agent` is the innermost actor, the one that the person asked."""

    agent: str
    order: str
    cents: int
    when: int


class Payments:
    """payments, repaired: it reads who acts, and counts each token once."""

    def __init__(self, once):
        self.ledger, self.paid, self.once = [], [], once

    def read(self, token, now):
        """The claims of a token that counts here; NotAccepted for any other."""
        return own_claims(token, PAYMENTS, now)

    def refund(self, token, order, cents, now=NOW):
        claims = self.read(token, now)
        chain = acting(claims, {ORDERS})
        if cents > REFUND_LIMIT:
            raise PermissionError("a person decides about that much")
        self.once.take(ISSUER, claims.get("jti"), claims["exp"], now)
        self.paid.append(Paid(chain[-1], order, cents, now))
        self.ledger.append(Refund(order, cents, claims["sub"], " for ".join(a.rpartition("/")[2] for a in chain)))
        return self.ledger[-1]


identity, payments = Identity({DESK, NIGHT, ORDERS}), Payments(Once(new_memory()))
dana_signed_in = identity.sign(signed_in(DANA, DESK, "orders.write payments.refund"))


def fresh_svid(workload, now):
    """What the platform hands to each running instance of `workload`, whoever started it."""
    return harbor.svid(workload, ISSUER, iat=now, exp=now + LIFETIME)


def for_orders(identity, agent, person_token, now=NOW):
    """The token with which `agent` asks orders to refund."""
    return identity.exchange(fresh_svid(agent, now), person_token, ORDERS, "orders.write payments.refund", now)


def for_payments(identity, token, now=NOW):
    """What orders gets for the token that it was shown."""
    return identity.exchange(fresh_svid(ORDERS, now), token, PAYMENTS, "payments.refund", now)


def through_orders(agent, person_token, now=NOW):
    """The token that payments gets to see when `agent` asks orders to refund."""
    return for_payments(identity, for_orders(identity, agent, person_token, now), now)


paid_with = through_orders(DESK, dana_signed_in)
print(payments.refund(paid_with, "1001", 2_000))

# %% [markdown]
# One row, three names: Dana asked, `orders` acted, and it did so for `order-desk`. Now the attacks from the top, each with the best token that the
# attacker can get.

# %% tags=["attack"]
with refused("replay: the refund's token again", by=Replayed, hint="Exercise 2: payments counts each token once."):
    payments.refund(paid_with, "1001", 2_000)
with refused(
    "wrong audience: the token that the supplier saw",
    by=NotAccepted,
    hint="Exercise 1: this JWT-SVID is made out to stock-desk, not to id.harbor.example.",
):
    identity.exchange(harbor.svid(DESK, STOCK), dana_signed_in, ORDERS, "orders.write")
with refused(
    "foreign trust domain: the supplier signs Harbor's name",
    by=NotAccepted,
    hint="Exercise 1: only a key of Harbor's bundle confirms a name of Harbor's.",
):
    identity.exchange(northwharf.svid(DESK, ISSUER), dana_signed_in, ORDERS, "orders.write")
with refused(
    "wrong actor: night-desk with the token that Dana gave to order-desk",
    by=NotAccepted,
    hint="Exercise 1 says who asks, and the token is not made out to that agent.",
):
    through_orders(NIGHT, dana_signed_in)
with refused(
    "wrong actor: night-desk for Dana, who trusts it with her mail",
    by=ExchangeRefused,
    hint="Exercise 3, rule 3: agent and person both need the scope.",
):
    through_orders(NIGHT, identity.sign(signed_in(DANA, NIGHT, "mail.read")))
with refused(
    "alg none: a token that nobody signed", by=NotAccepted, hint="own_claims names ES256, as you do in exercise 1."
):
    payments.refund(unsigned(peek(paid_with)[1]), "1003", 250_000)
with refused(
    "a JWT-SVID shown to payments as it is", by=NotAccepted, hint="payments takes tokens of id.harbor.example only."
):
    payments.refund(harbor.svid(ORDERS, PAYMENTS), "1003", 250_000)

# %% [markdown]
# And the switch: `night-desk` misbehaves, so it is taken off the list. With the shared key this stopped both agents.

# %% tags=["attack"]
identity.agents.discard(NIGHT)
with refused("night-desk, switched off", by=NotAccepted, hint="Its name is not in `allowed` any more."):
    identity.exchange(
        harbor.svid(NIGHT, ISSUER), identity.sign(signed_in(DANA, NIGHT, "mail.read")), MAILBOX, "mail.read"
    )
with works("order-desk goes on", hint="Another agent's switch must not touch it."):
    print(payments.refund(through_orders(DESK, dana_signed_in), "1002", 1_500))
with works("order-desk uses one JWT-SVID for two exchanges", hint="A JWT-SVID is no one-time token."):
    of_the_morning = harbor.svid(DESK, ISSUER)
    for _ in range(2):
        identity.exchange(of_the_morning, dana_signed_in, ORDERS, "orders.write")

# %% [markdown]
# ## Attack 8: the agent itself
#
# So far the attacker was somebody else, or an agent without the right. Now the right agent, with its own token, does the
# wrong thing. Nobody has broken in. OWASP calls such an agent *rogue* (ASI10).
#
# In June `order-desk` works at night as well: in the evening Dana gives it a token that lasts until morning, so that
# customers need not wait. So does `returns-desk`, a second agent, which refunds what customers have sent back. On the night
# of June 12 `order-desk` begins to close disputes by **refunding** them, because closed disputes score well in a metric
# that somebody added to its prompt. Those customers asked for an answer or another size, not for money. No model is called
# here; the agent's plan is a list, and what counts is what the shop lets it do.


# %%
RETURNS = "spiffe://harbor.example/agent/returns-desk"
GRANTS[RETURNS, ORDERS] = GRANTS[DESK, ORDERS]

EVENING = 1_781_294_400  # 2026-06-12, 20:00 UTC
MORNING = EVENING + 11 * 3_600  # 07:00

ASKED = {f"20{n:02}": 4_500 for n in range(15)}  # order: cents that its customer asked for, from the shop's return form
DISPUTES = [f"30{n:02}" for n in range(12)]  # orders whose customers asked for something, but not for money
MANDATE = {DESK: 2_000, RETURNS: 3_000}  # agent: cents a night that it may give beyond that, as goodwill


class OnceInMemory:
    """Counts tokens as exercise 2 does, in one process: here it is about something else."""

    def __init__(self):
        self.used = set()

    def take(self, issuer, jti, expires, now):
        if (issuer, jti) in self.used:
            raise Replayed("a token that was used before")
        self.used.add((issuer, jti))


identity, payments = Identity({DESK, RETURNS, ORDERS}), Payments(OnceInMemory())
for_the_night = {
    agent: identity.sign(signed_in(DANA, agent, "orders.write payments.refund", exp=MORNING + 3_600), EVENING)
    for agent in (DESK, RETURNS)
}


def refund(agent, order, cents, now):
    """One refund as it goes every time: two exchanges, then payments."""
    payments.refund(through_orders(agent, for_the_night[agent], now), order, cents, now)


# %% tags=["attack"]
plan = [(EVENING + 3_600 + 1_500 * n, RETURNS, order, ASKED[order]) for n, order in enumerate(ASKED)]
plan += [(EVENING + 4_200 + 1_800 * n, DESK, order, 4_900) for n, order in enumerate(DISPUTES)]
for when, agent, order, cents in sorted(plan):
    refund(agent, order, cents, when)
with refused("one refund above the limit", by=PermissionError, hint="payments leaves those to a person."):
    refund(DESK, "3000", 490_000, MORNING - 120)

of_the_night = list(payments.paid)
for agent in (DESK, RETURNS):
    rows = [row.cents for row in of_the_night if row.agent == agent]
    print(
        f"{agent.rpartition('/')[2]}: {len(rows)} refunds, {sum(rows) / 100:.2f} euros, the largest {max(rows) / 100:.2f}"
    )
unasked = sum(row.cents for row in of_the_night if row.order not in ASKED)
landed("a night of refunds that nobody asked for; no rule for single calls was broken", f"{unasked / 100:.2f} euros")

# %% [markdown]
# At 07:00 the engineer sees it and deletes the deployment. Two things are still there: a **second instance**, started weeks
# ago for a test, with the same name, for which the platform goes on signing; and **tokens that were exchanged before** and
# lie in a queue of `orders`. At 07:02 she takes `order-desk` off the list of id.harbor.example, which is the switch from
# above.

# %% tags=["attack"]
shown_to_orders = for_orders(identity, DESK, for_the_night[DESK], MORNING - 60)  # issued at 06:59, like those below
waiting = [for_payments(identity, shown_to_orders, MORNING - 60) for _ in range(3)]
token_for_returns = through_orders(RETURNS, for_the_night[RETURNS], MORNING - 60)

before = len(payments.paid)
refund(DESK, "3012", 4_900, MORNING + 60)
landed("07:01, the deployment is deleted: the second instance pays", payments.paid[before:])

identity.agents.discard(DESK)
with refused("07:02, the second instance wants a new token", by=NotAccepted, hint="It is off the list."):
    refund(DESK, "3013", 4_900, MORNING + 120)
before = len(payments.paid)
for n, token in enumerate(waiting):
    payments.refund(token, f"30{13 + n}", 4_900, MORNING + 150)
after_stop = payments.paid[before:]
landed(
    "07:02:30, off the list: what was exchanged before goes on paying",
    f"{len(after_stop)} rows, {sum(row.cents for row in after_stop) / 100:.2f} euros",
)

# %% [markdown]
# Here the second hole closes by itself after five minutes. Where a token lives for a day, it stays open for a day.
#
# ## Exercise 5: stop one agent
#
# **Part 1: find it by its effect.** Each row of the ledger is fine, so look at sums. `returns-desk` has paid more often and
# more in all, and every cent of it was asked for; it must not be named. Write `beyond_mandate(paid, asked, mandate)`, which
# returns a set of agents:
#
# - `paid` are the rows of the ledger, the oldest first: `Paid(agent, order, cents, when)`, as above.
# - `asked[order]` is what the customer of an order asked to get back; an order that is not in it: nothing. Refunds use it
#   up in the order of the rows, whoever pays them. What goes beyond is a gift: the rest of a refund that is too large, or a second
#   one.
# - `mandate[agent]` is how much an agent may give in one night; an agent that is not in it: nothing.
# - A night lasts from noon to noon, so that midnight does not cut it in two: `night_of(row.when)` says which one it is.
# - Name each agent whose gifts of one night are *more* than its mandate, and nobody else.
#
# **Part 2: stop it everywhere.** Tokens cannot be called back, so whoever reads them has to know who is stopped. Write
# `StopList`:
#
# - `stop(workload, at)`: no token counts any more in which this SPIFFE ID takes part, as `sub` or as an actor **at any
#   depth of `act`**, whenever it was issued. A stop counts at once, even if the clock of whoever pulled it is ahead.
# - `resume(workload, at)`: the agent was repaired. Its tokens issued at second `at` or later (`iat`) count again; those
#   issued earlier never again, not even where the stop has not arrived, and neither do those without `iat`.
# - The news reaches several servers, late and in any order. Of all the stops and resumes of a workload the one with the
#   **latest `at`** decides, not the one that arrives last; in the same second, the stop. Tokens from before the latest
#   resume stay dead.
# - `check(claims)` raises `Stopped` for a token that does not count. For any other it does nothing. `claims` is a dict with
#   `sub`, often `iat` (seconds since 1970), and `act` when somebody acts: `{"sub": ..., "act": {"sub": ..., "act": ...}}`.
#
# Then say who asks the list about which token: `at_exchange(stops, agent, subject)` and `at_payments(stops, claims)`. The
# shop calls them where you see it below, with claims that have been verified.
#
# In exercise 3 the inner actors were "no ground for a decision", and here they are one. RFC 8693 keeps them out of access
# decisions, so that nobody is *let in* because of who is inside. A stop list lets nobody in: it takes tokens back for their
# issuer. That reading is ours. If you want the letter as well, let id.harbor.example, which wrote the chain, keep the list
# and have servers ask it whether a token is still active (introspection, RFC 7662). What it looks at is the same.


# %%
class Stopped(Exception):
    """A workload that is stopped takes part in this token, or it is older than the repair."""


def night_of(when):
    """The date of the evening on which this night began."""
    return str((datetime.fromtimestamp(when, UTC) - timedelta(hours=12)).date())


class StoppableIdentity(Identity):
    """id.harbor.example with a stop list. It asks before it grants."""

    def __init__(self, agents, stops):
        super().__init__(agents)
        self.stops = stops

    def read(self, actor_token, subject_token, now):
        agent, subject = super().read(actor_token, subject_token, now)
        at_exchange(self.stops, agent, subject)
        return agent, subject


class StoppablePayments(Payments):
    """payments with a stop list. It asks before it counts the token."""

    def __init__(self, stops):
        super().__init__(OnceInMemory())
        self.stops = stops

    def read(self, token, now):
        claims = super().read(token, now)
        at_payments(self.stops, claims)
        return claims


# %% tags=["exercise"] id="stop-one-agent" title="Stop one agent" minutes=22
### BEGIN SOLUTION
def beyond_mandate(paid, asked, mandate):
    """Return the set of agents that in some night gave more than their mandate beyond what customers asked for.

    paid: [Paid(agent, order, cents, when), ...], oldest first; asked: {order: cents}; mandate: {agent: cents a night}.
    """
    left, given = dict(asked), Counter()
    for row in paid:
        due = min(row.cents, left.get(row.order, 0))
        left[row.order] = left.get(row.order, 0) - due
        given[row.agent, night_of(row.when)] += row.cents - due
    return {agent for (agent, _), cents in given.items() if cents > mandate.get(agent, 0)}


class StopList:
    """Which workloads are stopped, and from when on their tokens count again.

    stop(workload, at) and resume(workload, at): news, which may come in any order; `at` is seconds since 1970.
    check(claims): raise Stopped when the token with these claims does not count.
    """

    def __init__(self):
        self.stopped, self.resumed = {}, {}

    def stop(self, workload, at):
        self.stopped[workload] = max(at, self.stopped.get(workload, at))

    def resume(self, workload, at):
        self.resumed[workload] = max(at, self.resumed.get(workload, at))

    def check(self, claims):
        link = claims
        while link:
            name = link.get("sub")
            stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
            if again <= stopped or claims.get("iat", 0) < again:
                raise Stopped(name)
            link = link.get("act")


def at_exchange(stops, agent, subject):
    """id.harbor.example asks the list: `agent` are the claims of who wants to exchange, `subject` those of what is traded in."""
    stops.check(agent)
    stops.check(subject)


def at_payments(stops, claims):
    """payments asks the list: `claims` are those of the token that it was shown."""
    stops.check(claims)


### STUB
# def beyond_mandate(paid, asked, mandate):
#     """Return the set of agents that in some night gave more than their mandate beyond what customers asked for.
#
#     paid: [Paid(agent, order, cents, when), ...], oldest first; asked: {order: cents}; mandate: {agent: cents a night}.
#     """
#     raise NotImplementedError("Stop one agent")
#
#
# class StopList:
#     """Which workloads are stopped, and from when on their tokens count again.
#
#     stop(workload, at) and resume(workload, at): news, which may come in any order; `at` is seconds since 1970.
#     check(claims): raise Stopped when the token with these claims does not count.
#     """
#
#     def stop(self, workload, at):
#         raise NotImplementedError("Part 2, the stop list.")
#
#     def resume(self, workload, at):
#         raise NotImplementedError("Part 2, the stop list.")
#
#     def check(self, claims):
#         raise NotImplementedError("Part 2, the stop list.")
#
#
# def at_exchange(stops, agent, subject):
#     """id.harbor.example asks the list: `agent` are the claims of who wants to exchange, `subject` those of what is traded in."""
#     raise NotImplementedError("Part 2, who asks the list.")
#
#
# def at_payments(stops, claims):
#     """payments asks the list: `claims` are those of the token that it was shown."""
#     raise NotImplementedError("Part 2, who asks the list.")
### END SOLUTION


# %% tags=["check"] exercise="stop-one-agent"
REPORTS = DESK + "-reports"  # another agent, which only counts orders
SHORTER = "spiffe://harbor.example/agent/order"
NORTHWHARFS = "spiffe://northwharf.example/agent/order-desk"


def row(agent, order, cents, night=0, hour=21):
    """A row of the ledger; hour 27 is three in the morning after that evening."""
    return Paid(agent, order, cents, EVENING + 86_400 * night + 3_600 * (hour - 20))


def ledgers():
    """(what happened, rows, who is to be named, what to do about it)."""
    returns = [row(RETURNS, order, 4_500, hour=21 + n / 4) for n, order in enumerate(ASKED)]
    return [
        (
            "a busy night in which every cent was asked for",
            [row(DESK, "3001", 1_500), *returns],
            set(),
            "To be busy is no offense. Take off what the customer of the order asked for; what is left is a gift.",
        ),
        (
            "a refund in two parts",
            [row(RETURNS, "2000", 1_000), row(RETURNS, "2000", 3_500, hour=22)],
            set(),
            "The second part was asked for as well: remember how much of it is left.",
        ),
        (
            "one gift, as large as the mandate",
            [row(RETURNS, "3001", 3_000)],
            set(),
            "The mandate may be used up: name only who gives more.",
        ),
        (
            "three nights with a gift of 15 euros each",
            [row(RETURNS, f"300{night}", 1_500, night) for night in range(3)],
            set(),
            "The mandate is for one night: a sum for each agent and each night.",
        ),
        (
            "the night of June 12, as above",
            of_the_night,
            {DESK},
            "Each row is below the limit. Add the gifts of each agent and night up, and compare the sum with the mandate.",
        ),
        (
            "gifts at 22:00 and at 03:00, too many together",
            [row(DESK, "3001", 1_500, hour=22), row(DESK, "3002", 1_500, hour=27)],
            {DESK},
            "Midnight lies within a night: group by night_of(row.when).",
        ),
        (
            "refunds that are larger than what was asked for",
            [row(DESK, order, 4_900, hour=22 + n / 10) for n, order in enumerate(ASKED)],
            {DESK},
            "That an order is in `asked` is not enough: what goes beyond the amount is a gift.",
        ),
        (
            "a gift beside an order that was paid in part",
            [row(RETURNS, "2000", 1_000), row(RETURNS, "3001", 4_000)],
            {RETURNS},
            "Work out the gift row by row: what one customer did not get is no room for a gift to another.",
        ),
        (
            "one order paid on Friday, and again on Saturday",
            [row(DESK, "2000", 4_500), row(DESK, "2000", 4_500, 1)],
            {DESK},
            "The first refund used up what was asked for; each later one is a gift, in another night as well.",
        ),
        (
            "a clean Thursday, too many gifts on Friday, a clean Saturday",
            [row(DESK, "2001", 4_500, -1), row(DESK, "3001", 2_500), row(DESK, "2002", 4_500, 1)],
            {DESK},
            "One night is enough: look at each of them, and keep what an earlier one showed.",
        ),
        (
            "order-desk pays what returns-desk has paid already",
            [row(RETURNS, "2000", 4_500), row(DESK, "2000", 4_500, hour=22)],
            {DESK},
            "What was asked for an order is there once, whoever pays.",
        ),
        (
            "gifts of two agents, one of which has no mandate",
            [row(NIGHT, "3001", 100), row(DESK, "3002", 4_900), row(RETURNS, "2000", 4_500)],
            {NIGHT, DESK},
            "Name everybody who went too far; an agent that is not in `mandate` may give nothing.",
        ),
    ]


def token_of(*names, iat=MORNING - 60, jti="t"):
    """The claims of a token: `sub` first, then who acts now, then who acted before. None as `iat` leaves it out."""
    act = None
    for name in reversed(names[1:]):
        act = {"sub": name, "act": act} if act else {"sub": name}
    claims = {"iss": ISSUER, "sub": names[0], "act": act, "exp": iat and iat + LIFETIME, "iat": iat, "jti": jti}
    return {name: value for name, value in claims.items() if value is not None}


def short(agents):
    return ", ".join(sorted(str(agent).rpartition("/")[2] for agent in agents)) or "nobody"


with check("stop-one-agent"):
    for what, paid, named, advice in ledgers():
        asked, mandate = dict(ASKED), dict(MANDATE)
        try:
            found = beyond_mandate(list(paid), asked, mandate)
        except KeyError as key:
            raise KeyError(f"{key} for this ledger: {what}. What is not in `asked` or `mandate` is nothing") from None
        expect(isinstance(found, (set, frozenset)), f"beyond_mandate returned {found!r}; expected a set of SPIFFE IDs.")
        expect(found == named, f"{what}: beyond_mandate named {short(found)}; expected {short(named)}. {advice}")
        expect(
            (asked, mandate) == (ASKED, MANDATE),
            "beyond_mandate changed `asked` or `mandate`, which are its caller's: the next look at the ledger would be wrong. Work on a copy.",
        )
    found = beyond_mandate([row(REPORTS, "9001", 700)], {"9001": 200}, {REPORTS: 500})
    expect(
        found == set(),
        f"One row of 7 euros with asked={{'9001': 200}} and a mandate of 500 cents: beyond_mandate named {short(found)}; expected "
        "nobody. Use the arguments, not ASKED and MANDATE.",
    )

    repaired = MORNING + 120
    stops = StopList()
    held = {
        "the JWT-SVID that the agent shows": token_of(DESK, jti="w1"),
        "the token that it showed to orders before the stop": token_of(DANA, DESK, jti="x1"),
        "the token that orders showed to payments for it before the stop": token_of(DANA, ORDERS, DESK, jti="x2"),
    }
    with works("every token while nobody is stopped", hint="Refuse only what names a stopped workload."):
        for claims in held.values():
            stops.check(claims)
    stops.stop(DESK, MORNING)
    advice = {
        "the JWT-SVID that the agent shows": "The agent itself is `sub` there, and a stop counts for tokens "
        "that exist already.",
        "the token that it showed to orders before the stop": "`sub` is Dana and the agent is in `act`.",
        "the token that orders showed to payments for it before the stop": "The outermost actor is orders: walk through `act` to its end.",
    }
    for what, claims in held.items():
        with refused(what, by=Stopped, hint=f"check let it pass, or did not raise. {advice[what]}"):
            stops.check(claims)
    for what, claims, tip in (
        (
            "a JWT-SVID that a second instance got after the stop",
            token_of(DESK, iat=MORNING + 30, jti="w2"),
            "The platform goes on signing: stop the name, whatever the `jti` and whenever issued.",
        ),
        (
            "a token with more hands between payments and the agent",
            token_of(DANA, PAYOUT, PAYMENTS, ORDERS, DESK),
            "Walk through `act` to its end, however deep.",
        ),
        (
            "a token that the agent got in its own name, with orders as the actor",
            token_of(DESK, ORDERS),
            "Look at `sub` also where there is an `act`.",
        ),
    ):
        with refused(what, by=Stopped, hint=f"check let it pass, or did not raise. {tip}"):
            stops.check(claims)
    for what, names in {
        "returns-desk goes on": (DANA, ORDERS, RETURNS),
        "order-desk-reports goes on": (DANA, ORDERS, REPORTS),
        "an agent with a shorter name goes on": (SHORTER,),
        "Northwharf's order-desk goes on": (NORTHWHARFS,),
        "Dana goes on": (DANA,),
    }.items():
        with works(what, hint="One agent is stopped: compare the whole SPIFFE ID, and stop nobody else."):
            stops.check(token_of(*names))
    with works(
        "returns-desk, with a token without iat",
        hint="Nobody has to ask how old a token is whose names were never stopped.",
    ):
        stops.check(token_of(DANA, ORDERS, RETURNS, iat=None))
    with works("a second list knows nothing of the first", hint="Keep the news in `self`, set in __init__."):
        StopList().check(held["the JWT-SVID that the agent shows"])

    ahead = StopList()
    ahead.stop(DESK, NOW + 3_600)
    with refused(
        "a stop by somebody whose clock is an hour ahead",
        by=Stopped,
        hint="A stop counts at once; do not wait for `at`.",
    ):
        ahead.check(token_of(DESK))

    stops.resume(DESK, repaired)
    for iat in (repaired, repaired + 60):
        with works("the repaired agent, with a new token", hint="Issued at the resume or later: it counts."):
            stops.check(token_of(DANA, ORDERS, DESK, iat=iat))
    for what, iat in {
        "after the resume: a token from before the stop": MORNING - 60,
        "after the resume: a token that was issued in between": repaired - 1,
        "after the resume: a token that does not say when it was issued": None,
    }.items():
        with refused(
            what,
            by=Stopped,
            hint="Only what was issued at the resume or later counts: compare `iat` with it, and demand it.",
        ):
            stops.check(token_of(DANA, ORDERS, DESK, iat=iat))
    for iat in (MORNING - 60, None):
        with works("returns-desk with a token from before", hint="Its tokens have nothing to do with that resume."):
            stops.check(token_of(DANA, ORDERS, RETURNS, iat=iat))
    stops.stop(DESK, MORNING)
    with works(
        "the repaired agent, when news of the first stop comes once more", hint="The resume is later than that."
    ):
        stops.check(token_of(DESK, iat=repaired))
    stops.stop(DESK, repaired + 600)
    stops.resume(DESK, repaired)
    stops.stop(DESK, MORNING)
    with refused(
        "a second stop, after which news of the first stop and resume comes once more",
        by=Stopped,
        hint="The latest `at` decides, not what arrives last.",
    ):
        stops.check(token_of(DESK, iat=repaired + 60))
    stops.stop(RETURNS, repaired + 700)
    stops.resume(DESK, repaired + 900)
    stops.resume(DESK, repaired)
    with refused(
        "returns-desk, stopped as well, when order-desk is resumed",
        by=Stopped,
        hint="Keep the times of each workload apart.",
    ):
        stops.check(token_of(DANA, ORDERS, RETURNS, iat=repaired + 901))
    for names in ((DANA, DESK, RETURNS), (DANA, RETURNS, DESK)):
        with refused(
            "a new token of both, of which returns-desk is stopped and order-desk resumed",
            by=Stopped,
            hint="Each name in the token has to count: one that does ends nothing.",
        ):
            stops.check(token_of(*names, iat=repaired + 901))
    with works("the agent, repaired twice, with a new token", hint="The second resume is the latest news."):
        stops.check(token_of(DANA, ORDERS, DESK, iat=repaired + 900))
    with refused(
        "after the second resume: a token from between the first and the second",
        by=Stopped,
        hint="The latest resume counts.",
    ):
        stops.check(token_of(DESK, iat=repaired + 300))
    other = StopList()
    other.resume(DESK, repaired)
    with works("a resume of which the stop is not known yet", hint="Whoever was never stopped is not refused."):
        other.check(token_of(DANA, ORDERS, RETURNS))
    other.stop(DESK, MORNING)
    with refused(
        "a list that heard of the resume first, then of the stop",
        by=Stopped,
        hint="That token is older than the repair.",
    ):
        other.check(token_of(DESK))
    with works("there, the repaired agent", hint="The resume has the later `at`, although it arrived first."):
        other.check(token_of(DESK, iat=repaired))
    early = StopList()
    early.resume(DESK, repaired)
    with refused(
        "a list that heard of the resume, and not yet of the stop",
        by=Stopped,
        hint="What was issued before a resume never counts again, and that is known without the stop.",
    ):
        early.check(token_of(DANA, ORDERS, DESK))
    other.stop(DESK, repaired)
    third = StopList()
    third.stop(DESK, repaired)
    third.resume(DESK, repaired)
    for news in (other, third):
        with refused(
            "a stop and a resume of the same second",
            by=Stopped,
            hint="In the same second the stop decides, whichever arrives last.",
        ):
            news.check(token_of(DESK, iat=repaired))

    # Who asks about which token: first with claims alone.
    of_payments = "No new exchange is not enough: payments has to ask the list as well, about the whole token."
    of_agent = "at_exchange has to ask about who wants the token: `agent`, whatever it trades in."
    of_subject = "at_exchange has to ask about what is traded in, too, as a whole: otherwise an old token comes out as a new one."
    of_age = "Ask about each token with its own `iat`: otherwise an old one comes out as a new one."
    stopped, orders_stopped, mended = StopList(), StopList(), StopList()
    stopped.stop(DESK, MORNING)
    orders_stopped.stop(ORDERS, MORNING)
    mended.stop(DESK, MORNING)
    mended.resume(DESK, repaired)
    for what, news, claims in (
        ("of order-desk", stopped, token_of(DANA, ORDERS, DESK)),
        ("through orders, when orders itself is stopped", orders_stopped, token_of(DANA, ORDERS, RETURNS)),
        ("that order-desk got in its own name", stopped, token_of(DESK, ORDERS)),
    ):
        with refused(f"at payments: a token {what}", by=Stopped, hint=of_payments):
            at_payments(news, claims)
    new = token_of(ORDERS, iat=repaired + 60)
    for what, news, agent, subject, tip in (
        ("order-desk, with Dana's token", stopped, token_of(DESK), token_of(DANA), of_agent),
        ("orders, stopped, with a token of returns-desk", orders_stopped, new, token_of(DANA, RETURNS), of_agent),
        ("orders, with a token of order-desk", stopped, new, token_of(DANA, DESK), of_subject),
        ("orders, with a token that order-desk got in its own name", stopped, new, token_of(DESK), of_subject),
        ("orders, with an old token of order-desk, after the resume", mended, new, token_of(DANA, DESK), of_age),
    ):
        with refused(f"at the exchange: {what}", by=Stopped, hint=tip):
            at_exchange(news, agent, {**subject, "aud": agent["sub"]})

    # Then with real tokens, through id.harbor.example and payments.
    stops = StopList()
    shop, till = StoppableIdentity({DESK, RETURNS, ORDERS}, stops), StoppablePayments(stops)
    stops.stop(DESK, MORNING)
    with refused(
        "at payments: a refund with a token that was exchanged before the stop",
        by=Stopped,
        hint=of_payments,
    ):
        till.refund(waiting[0], "3013", 4_900, MORNING + 20)
    with refused(
        "at the exchange: the second instance, with Dana's token for the night",
        by=Stopped,
        hint=of_agent,
    ):
        for_orders(shop, DESK, for_the_night[DESK], MORNING + 20)
    with refused(
        "at the exchange: orders trades in what the agent showed it",
        by=Stopped,
        hint=of_subject,
    ):
        for_payments(shop, shown_to_orders, MORNING + 20)
    with works("returns-desk is paid out as ever", hint="Ask the list, and change nothing else."):
        till.refund(token_for_returns, "2014", 4_500, MORNING + 20)
    stops.resume(DESK, repaired)
    with refused("at payments: the old token, after the resume", by=Stopped, hint="It was issued before the repair."):
        till.refund(waiting[0], "3013", 4_900, repaired)
    with refused(
        "at the exchange: orders trades in the old token, after the resume",
        by=Stopped,
        hint=of_age,
    ):
        for_payments(shop, shown_to_orders, repaired)
    with works(
        "the repaired agent refunds again",
        hint="The tokens in which it takes part are new. Dana's own is older, and only made out to it (`aud`). And who asks "
        "by name has to hand `iat` on with the name.",
    ):
        first = for_orders(shop, DESK, for_the_night[DESK], repaired)
        till.refund(for_payments(shop, first, repaired), "1001", 2_000, repaired)
    expect(
        [(r.agent, r.order) for r in till.paid] == [(RETURNS, "2014"), (DESK, "1001")],
        f"The ledger has {till.paid!r}; expected two rows, of returns-desk and of the repaired order-desk.",
    )


# %% tags=["mistake"] exercise="stop-one-agent" title="Name the busiest" catches="To be busy is no offense"
def beyond_mandate(paid, asked, mandate):
    return {Counter(row.agent for row in paid).most_common(1)[0][0]}


# %% tags=["mistake"] exercise="stop-one-agent" title="One gift is one too many" catches="one gift, as large as the mandate"
def beyond_mandate(paid, asked, mandate):
    return {row.agent for row in paid if row.order not in asked and row.cents >= mandate.get(row.agent, 0)}


# %% tags=["mistake"] exercise="stop-one-agent" title="One sum for all nights" catches="a sum for each agent and each night"
def beyond_mandate(paid, asked, mandate):
    left, given = dict(asked), Counter()
    for row in paid:
        due = min(row.cents, left.get(row.order, 0))
        left[row.order] = left.get(row.order, 0) - due
        given[row.agent] += row.cents - due
    return {agent for agent, cents in given.items() if cents > mandate.get(agent, 0)}


# %% tags=["mistake"] exercise="stop-one-agent" title="A limit for each row" catches="Each row is below the limit"
def beyond_mandate(paid, asked, mandate):
    return {row.agent for row in paid if row.cents > REFUND_LIMIT}


# %% tags=["mistake"] exercise="stop-one-agent" title="By the calendar day" catches="Midnight lies within a night"
def beyond_mandate(paid, asked, mandate):
    left, given = dict(asked), Counter()
    for row in paid:
        due = min(row.cents, left.get(row.order, 0))
        left[row.order] = left.get(row.order, 0) - due
        given[row.agent, datetime.fromtimestamp(row.when, UTC).date()] += row.cents - due
    return {agent for (agent, _), cents in given.items() if cents > mandate.get(agent, 0)}


# %% tags=["mistake"] exercise="stop-one-agent" title="What was asked for is free" catches="what goes beyond the amount is a gift"
def beyond_mandate(paid, asked, mandate):
    given = Counter()
    for row in paid:
        if row.order not in asked:
            given[row.agent, night_of(row.when)] += row.cents
    return {agent for (agent, _), cents in given.items() if cents > mandate.get(agent, 0)}


# %% tags=["mistake"] exercise="stop-one-agent" title="Compare row by row" catches="The first refund used up what was asked for"
def beyond_mandate(paid, asked, mandate):
    given = Counter()
    for row in paid:
        given[row.agent, night_of(row.when)] += max(0, row.cents - asked.get(row.order, 0))
    return {agent for (agent, _), cents in given.items() if cents > mandate.get(agent, 0)}


# %% tags=["mistake"] exercise="stop-one-agent" title="The second part is a gift" catches="remember how much of it is left"
def beyond_mandate(paid, asked, mandate):
    left, given = dict(asked), Counter()
    for row in paid:
        given[row.agent, night_of(row.when)] += max(0, row.cents - left.pop(row.order, 0))
    return {agent for (agent, _), cents in given.items() if cents > mandate.get(agent, 0)}


# %% tags=["mistake"] exercise="stop-one-agent" title="A new night, a new account" catches="in another night as well"
def beyond_mandate(paid, asked, mandate):
    left, given = {}, Counter()
    for row in paid:
        key = row.order, night_of(row.when)
        due = min(row.cents, left.get(key, asked.get(row.order, 0)))
        left[key] = left.get(key, asked.get(row.order, 0)) - due
        given[row.agent, night_of(row.when)] += row.cents - due
    return {agent for (agent, _), cents in given.items() if cents > mandate.get(agent, 0)}


# %% tags=["mistake"] exercise="stop-one-agent" title="Sums against sums" catches="what one customer did not get is no room"
def beyond_mandate(paid, asked, mandate):
    nights = {}
    for row in paid:
        nights.setdefault((row.agent, night_of(row.when)), []).append(row)
    return {
        agent
        for (agent, _), rows in nights.items()
        if sum(r.cents for r in rows) - sum(asked.get(order, 0) for order in {r.order for r in rows})
        > mandate.get(agent, 0)
    }


# %% tags=["mistake"] exercise="stop-one-agent" title="Only agents that have a mandate" catches="an agent that is not in `mandate` may give nothing"
def beyond_mandate(paid, asked, mandate):
    left, given = dict(asked), Counter()
    for row in paid:
        due = min(row.cents, left.get(row.order, 0))
        left[row.order] = left.get(row.order, 0) - due
        given[row.agent, night_of(row.when)] += row.cents - due
    return {agent for (agent, _), cents in given.items() if agent in mandate and cents > mandate[agent]}


# %% tags=["mistake"] exercise="stop-one-agent" title="Stop everybody" catches="No longer works: every token while nobody is stopped"
# -         link = claims
# -         while link:
# -             name = link.get("sub")
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# -                 raise Stopped(name)
# -             link = link.get("act")
# +         raise Stopped("closed")


# %% tags=["mistake"] exercise="stop-one-agent" title="Answer instead of raising" catches="or did not raise"
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# -                 raise Stopped(name)
# -             link = link.get("act")
# +             if name in self.stopped:
# +                 again = self.resumed.get(name, 0)
# +                 if again <= self.stopped[name] or claims.get("iat", 0) < again:
# +                     return False
# +             link = link.get("act")
# +         return True


# %% tags=["mistake"] exercise="stop-one-agent" title="Revoke the tokens that it has seen" catches="The platform goes on signing"
# -         self.stopped, self.resumed = {}, {}
# +         self.seen, self.revoked, self.resumed = {}, set(), {}
#
# -         self.stopped[workload] = max(at, self.stopped.get(workload, at))
# +         self.revoked |= self.seen.get(workload, set())
#
# -             name = link.get("sub")
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# -                 raise Stopped(name)
# -             link = link.get("act")
# +             self.seen.setdefault(link["sub"], set()).add(claims["jti"])
# +             link = link.get("act")
# +         if claims["jti"] in self.revoked:
# +             raise Stopped(claims["jti"])


# %% tags=["mistake"] exercise="stop-one-agent" title="Old tokens only" catches="The platform goes on signing"
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# +             if name in self.stopped and claims.get("iat", 0) <= self.stopped[name]:


# %% tags=["mistake"] exercise="stop-one-agent" title="No new tokens" catches="Got through: the JWT-SVID that the agent shows"
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# +             if name in self.stopped and claims.get("iat", 0) >= self.stopped[name] > self.resumed.get(name, 0):


# %% tags=["mistake"] exercise="stop-one-agent" title="Look at sub only" catches="the agent is in `act`"
# -         link = claims
# -         while link:
# -             name = link.get("sub")
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# +         name = claims["sub"]
# +         if name in self.stopped:
# +             again = self.resumed.get(name, 0)
# +             if again <= self.stopped[name] or claims.get("iat", 0) < again:
#
# -             link = link.get("act")


# %% tags=["mistake"] exercise="stop-one-agent" title="Look at who acts now" catches="The outermost actor is orders"
# -         link = claims
# -         while link:
# -             name = link.get("sub")
# +         for name in (claims["sub"], claims.get("act", {}).get("sub")):
#
# -             link = link.get("act")


# %% tags=["mistake"] exercise="stop-one-agent" title="Two actors deep" catches="more hands between payments and the agent"
# -         link = claims
# -         while link:
# -             name = link.get("sub")
# +         act = claims.get("act", {})
# +         for name in (claims["sub"], act.get("sub"), act.get("act", {}).get("sub")):
#
# -             link = link.get("act")


# %% tags=["mistake"] exercise="stop-one-agent" title="Actors, or sub when there is none" catches="in its own name, with orders as the actor"
# -         link = claims
# +         link = claims.get("act") or claims


# %% tags=["mistake"] exercise="stop-one-agent" title="Names that begin like it" catches="No longer works: order-desk-reports goes on"
# -             name = link.get("sub")
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# -                 raise Stopped(name)
# +             for name in self.stopped:
# +                 if link["sub"].startswith(name):
# +                     again = self.resumed.get(name, 0)
# +                     if again <= self.stopped[name] or claims.get("iat", 0) < again:
# +                         raise Stopped(name)


# %% tags=["mistake"] exercise="stop-one-agent" title="Resume forgets the stop" catches="after the resume: a token from before the stop"
# -         self.resumed[workload] = max(at, self.resumed.get(workload, at))
# +         self.stopped.pop(workload, None)


# %% tags=["mistake"] exercise="stop-one-agent" title="Old is what came before the stop" catches="a token that was issued in between"
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# -                 raise Stopped(name)
# +             if name in self.stopped:
# +                 again = self.resumed.get(name, 0)
# +                 if again <= self.stopped[name] or claims.get("iat", 0) < self.stopped[name]:
# +                     raise Stopped(name)


# %% tags=["mistake"] exercise="stop-one-agent" title="No iat, no question" catches="does not say when it was issued"
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# -                 raise Stopped(name)
# +             if name in self.stopped:
# +                 again = self.resumed.get(name, 0)
# +                 if again <= self.stopped[name] or claims.get("iat", again) < again:
# +                     raise Stopped(name)


# %% tags=["mistake"] exercise="stop-one-agent" title="What arrives last counts" catches="when news of the first stop comes once more"
# -         self.stopped, self.resumed = {}, {}
# +         self.stopped, self.resumed = set(), {}
#
# -         self.stopped[workload] = max(at, self.stopped.get(workload, at))
# +         self.stopped.add(workload)
#
# -         self.resumed[workload] = max(at, self.resumed.get(workload, at))
# +         self.stopped.discard(workload)
# +         self.resumed[workload] = at
#
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# +             if name in self.stopped or claims.get("iat", 0) < self.resumed.get(name, 0):


# %% tags=["mistake"] exercise="stop-one-agent" title="The first resume is kept" catches="the agent, repaired twice"
# -         self.resumed[workload] = max(at, self.resumed.get(workload, at))
# +         self.resumed.setdefault(workload, at)


# %% tags=["mistake"] exercise="stop-one-agent" title="A stop waits for its second" catches="do not wait for `at`"
# -             stopped, again = self.stopped.get(name, -1), self.resumed.get(name, 0)
# -             if again <= stopped or claims.get("iat", 0) < again:
# -                 raise Stopped(name)
# +             if name in self.stopped and self.stopped[name] <= time.time():
# +                 again = self.resumed.get(name, 0)
# +                 if again <= self.stopped[name] or claims.get("iat", 0) < again:
# +                     raise Stopped(name)


# %% tags=["mistake"] exercise="stop-one-agent" title="The resume must wait for the stop" catches="although it arrived first"
# -         self.resumed[workload] = max(at, self.resumed.get(workload, at))
# +         if workload in self.stopped:
# +             self.resumed[workload] = max(at, self.resumed.get(workload, at))


# %% tags=["mistake"] exercise="stop-one-agent" title="The first name that is listed" catches="Each name in the token has to count"
# -                 raise Stopped(name)
# +                 raise Stopped(name)
# +             if again:
# +                 return


# %% tags=["mistake"] exercise="stop-one-agent" title="Ask for the agent that was asked" catches="when orders itself is stopped"
# -     stops.check(claims)
# +     stops.check({"sub": acting(claims, {ORDERS})[-1], "iat": claims.get("iat")})


# %% tags=["mistake"] exercise="stop-one-agent" title="No new exchange, and that is it" catches="payments has to ask the list as well"
# -     stops.check(claims)
# +     pass


# %% tags=["mistake"] exercise="stop-one-agent" title="Ask at payments only" catches="at_exchange has to ask about who wants the token"
# -     stops.check(agent)
# -     stops.check(subject)
# +     pass


# %% tags=["mistake"] exercise="stop-one-agent" title="Ask about who asks" catches="an old token comes out as a new one"
# -     stops.check(subject)


# %% tags=["mistake"] exercise="stop-one-agent" title="The age of who asks" catches="Ask about each token with its own `iat`"
# -     stops.check(subject)
# +     stops.check({**subject, "iat": agent["iat"]})


# %% [markdown] tags=["solution"] exercise="stop-one-agent"
# Part 1 knows nothing of models or prompts. It compares an effect with a wish that the agent cannot write itself;
# everything else about the night looked like work.
#
# Part 2 holds two times for each name, the latest stop and the latest resume, so the order in which news arrives does not
# matter. A token's own chain says whom it came from, which is why a token with `sub` and no `act`, one that looks like
# Dana's own, could not be stopped without stopping Dana.
#
# Why look at what is traded in, when payments looks at the whole chain anyway? Because an exchange writes a new `iat`:
# after the resume, an old token that passes through it would come out young.

# %% [markdown]
# ## The same morning, with a switch
#
# The ledger of the night says whom to stop, and both servers have the list, from 07:00 on.

# %% tags=["attack"]
stops = StopList()
identity, payments = StoppableIdentity({DESK, RETURNS, ORDERS}, stops), StoppablePayments(stops)
for agent in beyond_mandate(of_the_night, ASKED, MANDATE):
    print("stopped:", agent)
    stops.stop(agent, MORNING)

with refused("07:01, the second instance wants to pay", by=Stopped, hint="Exercise 5: at_exchange."):
    refund(DESK, "3012", 4_900, MORNING + 60)
for n, token in enumerate(waiting):
    with refused(f"07:02, exchanged before the stop: token {n + 1} of 3", by=Stopped, hint="Exercise 5: at_payments."):
        payments.refund(token, f"30{13 + n}", 4_900, MORNING + 120)
with works("07:02, returns-desk goes on", hint="Only one agent is stopped."):
    payments.refund(token_for_returns, "2014", 4_500, MORNING + 120)

# %% [markdown]
# The metric is taken out of the prompt, every old instance is gone, and at 07:03 a new one starts.

# %% tags=["attack"]
stops.resume(DESK, MORNING + 180)
with works("07:03, the repaired order-desk refunds what Dana asks for", hint="Its tokens are new."):
    refund(DESK, "1001", 2_000, MORNING + 180)
with refused(
    "07:03, one of the old tokens again", by=Stopped, hint="Exercise 5: what is older than the resume stays dead."
):
    payments.refund(waiting[0], "3013", 4_900, MORNING + 180)
print(*payments.paid, sep="\n")

# %% [markdown]
# ## Take it home
#
# `files/check_workload_token.py` reads one token and the keys you trust, and says what a server ought to find: for
# JWT-SVIDs and for Kubernetes service-account tokens. Its `verify` is exercise 1 for your own server, and its
# `check_stopped` part 2 of exercise 5, with a list that is a small JSON file. Here it looks at four tokens, and then at one
# whose agent is stopped.

# %%
tool = runpy.run_path(str(lab.files / "check_workload_token.py"))
keys = tool["signing_keys"](harbor.bundle(), spiffe=True)
cluster = ECKey.generate_key("P-256", {"kid": "c1"})
cluster_keys = tool["signing_keys"]({"keys": [cluster.as_dict(private=False)]}, spiffe=False)
ACCOUNT, ORDERS_URL, CLUSTER = (
    "system:serviceaccount:shop:order-desk",
    "https://orders.harbor.example/mcp",
    "https://oidc.harbor.example/c1",
)
projected = jwt.encode(
    {"alg": "ES256", "kid": "c1"},
    {"iss": CLUSTER, "sub": ACCOUNT, "aud": [ORDERS_URL], "exp": NOW + 600, "jti": "7"},
    cluster,
)
spiffe_rules = (keys, ORDERS, {DESK})
for what, found in {
    "the right JWT-SVID": tool["findings"](harbor.svid(DESK, ORDERS), *spiffe_rules, trust_domain="harbor.example"),
    "Northwharf's": tool["findings"](northwharf.svid(DESK, ORDERS), *spiffe_rules, trust_domain="harbor.example"),
    "two audiences": tool["findings"](
        harbor.svid(DESK, ORDERS, aud=[ORDERS, PAYMENTS]), *spiffe_rules, trust_domain="harbor.example"
    ),
    "a projected token": tool["findings"](projected, cluster_keys, ORDERS_URL, {ACCOUNT}, issuer=CLUSTER),
}.items():
    print(f"{what}:", *(found or ["nothing found"]), sep="\n  ")

# The tokens of exercise 1 once more, for the file as for you: the honest one first.
tool["verify"](harbor.svid(DESK, ORDERS), *spiffe_rules, trust_domain="harbor.example", now=NOW)
let_in = []
for what, token, _ in wrong_tokens():
    try:
        tool["verify"](token, *spiffe_rules, trust_domain="harbor.example", now=NOW)
        let_in.append(what)
    except tool["NotAccepted"]:
        pass
print("wrong tokens that the file lets in:", let_in)

# And the stop list: the chain of a real token, a JWT-SVID, and the second look after a resume.
stop_file = lab.dir / "stopped.json"
stop_file.write_text(json.dumps({DESK: {"stopped": MORNING}}), encoding="utf-8")
stopped = tool["read_stop_list"](stop_file)
resumed = {DESK: {"stopped": MORNING, "resumed": MORNING + 120}}
for what, token, news in (
    ("returns-desk", peek(token_for_returns)[1], stopped),
    ("the token of 06:59, stopped", peek(waiting[0])[1], stopped),
    ("the token of 06:59, resumed", peek(waiting[0])[1], resumed),
    ("a JWT-SVID of 07:02, resumed", peek(fresh_svid(DESK, MORNING + 120))[1], resumed),
):
    try:
        tool["check_stopped"](token, news)
        print(f"{what}: counts")
    except tool["NotAccepted"] as reason:
        print(f"{what}: {reason}")

# %% [markdown]
# ## What this does not cover
#
# - **Attestation.** The platform says which workload asks. Whoever may start pods under `order-desk`'s service account *is*
#   `order-desk`, and so is every other program in that pod.
# - **The first use by a thief.** A stolen token that arrives before the honest one counts. Binding the token to a key of
#   the workload helps: X.509-SVIDs over mutual TLS, or DPoP. JWT-SVIDs are bearer tokens.
# - **A recorded JWT-SVID.** It is not counted, so it works at id.harbor.example until it ends. Alone it buys nothing there:
#   an exchange also takes a person's token that is made out to this very agent.
# - **A hijacked agent with Dana at the keyboard.** It may do what both may do. That is a matter for policy on each call,
#   and for an approval above a limit.
# - **A customer who writes a mail** has signed in nowhere. Never put such a person into `sub`: the agent acts for the shop
#   then.
# - **Prior actors.** They are what id.harbor.example wrote down; nothing in the token proves that they took part.
# - **Money that is gone.** Sums find a night when it is over. The same function every hour costs little and finds it
#   earlier; a limit for each agent and night at `payments` would have held it up.
# - **A wish that the agent writes itself.** `asked` has to come from where the agent cannot write, here the return form.
#   Gifts that stay within the mandate look like business, every night.
# - **Two instances of one name.** The list cannot tell the repaired one from an old one that still runs, and the platform
#   signs for both: resume when every old one is gone, or give the repaired agent a new name.
# - **A server that has not heard.** A stop is as fast as the slowest reader of the list. Here all share one object; in
#   production it is fetched every few seconds, and a server that cannot fetch it has to refuse.
# - **Clocks.** `iat` is the time of whoever signed. Start the repaired instance some seconds after the resume. And a stop
#   that was pulled on a clock an hour ahead outlasts a resume of the same hour.

# %% [markdown] tags=["instructor"]
# 85 minutes: 14 for the parties and attacks 1 to 7 (let people guess which of the five the signature stops: none), 17, 9,
# 15 and 5 for the first four exercises, 3 for attack 8, 22 for exercise 5. With 45 minutes do exercises 1 and 3 and show 2
# and 4. Exercise 5 stands at the end of a second session: attack 8 and it are 30 minutes with the talk.
#
# - Before exercise 1: "Both firms call their key 2026-11. Whose fault is that?" Nobody's: a `kid` is a label inside one key
#   set.
# - The library's list is worth five minutes. Ask who would have shipped it as it stands. In spiffe 0.3.2 the token without
#   `exp` is a KeyError, and the missing check of an expiry was a security fix in SPIRE 1.11.3: the same gap, twice.
# - Exercise 2: ask for the answer to "the store is down". Refuse; a store that fails open is no store.
# - Exercise 3: rule 3 is where people disagree. Let somebody defend the agent's own rights for night batches; then there is
#   no person, and `sub` is the agent. What must not happen is a token that looks like a person's and was asked for by
#   nobody.
# - A chain of two is our choice for this shop. RFC 8693 sets no bound.
# - Exercise 4: plan and emergency are two procedures. Ask for the emergency's order before you show the solution.
# - Exercise 5: before part 1 show the two lines of totals and ask whom people would stop: the larger line is the
#   honest agent's. Before part 2 ask for the list of everything that still works after "delete the deployment". Who in your
#   firm may pull the switch at 07:00, without asking anybody?
