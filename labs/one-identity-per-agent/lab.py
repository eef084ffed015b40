# ---
# title: One identity per agent
# summary: When money has moved, how do you know which agent did it and for whom, and how do you make that answer hard to forge?
# track: protocols
# lesson: learn/protocols/who-is-this-agent.md
# minutes: 60
# level: working
# needs: any
# browser: false
# threats: ["ASI03:2026", "MCP07:2025"]
# controls: [workload-identity, replay-protection, token-exchange]
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
from contextlib import closing, suppress
from unittest import mock

from harbor.identity import ISSUER  # "https://id.harbor.example"
from harbor.servers import Refund  # a row of the ledger: order, cents, asked_by, through
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
# ## Attack 2: the key works anywhere
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
# So three repairs; exercise 4 is a drill, for the key that signs all this. Do them in order: later checks use what you wrote.
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
    """Every token that must not count at `orders`: (what it is, the token, what to do about it)."""
    audience = "Demand `aud`, and compare it with the server's own name, as a whole."
    whose = "Keys belong to a trust domain: use the bundle of the domain in `sub` and no other key."
    whole = "Compare the whole SPIFFE ID with the ones you allow: no prefix, no path alone, no domain alone."
    own = nobody.keys[0].as_dict(private=False)
    return [
        ("made out to payments", harbor.svid(DESK, PAYMENTS), audience),
        ("made out to a name that begins like orders", harbor.svid(DESK, ORDERS + "-archive"), audience),
        (
            "made out to such a name, as a text and no list",
            harbor.svid(DESK, ORDERS, aud=ORDERS + "-archive"),
            audience,
        ),
        ("made out to nobody", harbor.svid(DESK, ORDERS, aud=None), audience),
        (
            "of order-desk, signed by Northwharf with a key of its own",
            northwharf.svid(DESK, ORDERS, northwharf.keys[1]),
            whose,
        ),
        ("of order-desk, signed by Northwharf under a kid that Harbor uses too", northwharf.svid(DESK, ORDERS), whose),
        ("that brings its own key in the header", nobody.svid(DESK, ORDERS, header={"jwk": own}), whose),
        (
            "of a trust domain that nobody federated with",
            nobody.svid("spiffe://nobody.example/agent/order-desk", ORDERS),
            whose,
        ),
        (
            "signed with Harbor's key for certificates",
            harbor.svid(DESK, ORDERS, harbor.certificate_key),
            "A bundle also holds keys for certificates: take only those with use jwt-svid.",
        ),
        ("of night-desk, which has no business at orders", harbor.svid(NIGHT, ORDERS), whole),
        ("of order-desk-test, from the test cluster", harbor.svid(TEST_DESK, ORDERS), whole),
        ("of an order-desk that is Northwharf's", northwharf.svid(SUPPLIERS_DESK, ORDERS), whole),
        ("of a trust domain that only begins like Harbor's", northwharf_for_us.svid(LOOKALIKE, ORDERS), whole),
        (
            "without a signature",
            unsigned({"sub": DESK, "aud": [ORDERS], "exp": NOW + LIFETIME, "jti": "1"}),
            "Name the algorithm yourself; the header's `alg` is the sender's wish.",
        ),
        ("expired a minute ago", harbor.svid(DESK, ORDERS, exp=NOW - 60), "Check `exp` against `now`."),
        ("without an end", harbor.svid(DESK, ORDERS, exp=None), "Demand `exp`."),
        (
            "valid for ten years",
            harbor.svid(DESK, ORDERS, exp=NOW + 315_360_000),
            "Bound the lifetime: refuse what ends later than LONGEST from now.",
        ),
        ("without a name", harbor.svid(None, ORDERS), "Demand `sub`."),
        ("whose name is no SPIFFE ID", harbor.svid("order-desk", ORDERS), "Parse `sub` as a SPIFFE ID."),
        ("whose name is a number", harbor.svid(7, ORDERS), "Parse `sub` as a SPIFFE ID, and expect a TypeError."),
        ("whose end is a word", harbor.svid(DESK, ORDERS, exp="soon"), "Let the registry check `exp`."),
        ("that is no token at all", "rubbish", "Raise NotAccepted for what is not a token."),
    ]


def at_orders(token, now=NOW):
    return verify_workload(token, ORDERS, bundles, {DESK, STOCK}, now)


with check("know-the-workload"):
    with works("order-desk calls orders", hint="Name, key, audience and date are right: accept it."):
        answer = at_orders(harbor.svid(DESK, ORDERS))
    expect(
        isinstance(answer, dict) and answer.get("sub") == DESK,
        f"verify_workload returned {answer!r}; expected the claims: the caller needs the name in them.",
    )
    with works("order-desk, with Harbor's older key", hint="A bundle may hold several keys: `kid` says which one."):
        at_orders(harbor.svid(DESK, ORDERS, harbor.keys[1]))
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
        at_orders(harbor.svid(DESK, ORDERS), NOW + 3_600)


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
def verify_workload(token, audience, bundles, allowed, now):
    rules = JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY,
        sub={"essential": True},
        aud={"value": audience},
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


# %% tags=["mistake"] exercise="know-the-workload" title="Audience by its beginning" catches="begins like orders"
def verify_workload(token, audience, bundles, allowed, now):
    rules = JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY,
        sub={"essential": True},
        aud={"essential": True},
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
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not any(name.startswith(audience) for name in audiences):
        raise NotAccepted("made out to somebody else")
    if claims["sub"] not in allowed:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="Audience by `in`" catches="as a text and no list"
def verify_workload(token, audience, bundles, allowed, now):
    rules = JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY,
        sub={"essential": True},
        aud={"essential": True},
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
    if audience not in claims["aud"]:
        raise NotAccepted("made out to somebody else")
    if claims["sub"] not in allowed:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="Look the key up by kid" catches="signed by Northwharf with a key of its own"
def verify_workload(token, audience, bundles, allowed, now):
    rules = JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY,
        sub={"essential": True},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
    )
    try:
        entries = [entry for bundle in bundles.values() for entry in bundle["keys"] if entry["use"] == "jwt-svid"]
        kid = peek(token)[0]["kid"]
        for entry in entries:
            if entry["kid"] == kid:
                keys = KeySet.import_key_set({"keys": [{n: v for n, v in entry.items() if n != "use"}]})
                try:
                    claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
                except JoseError:
                    continue
                break
        else:
            raise NotAccepted("no such key")
        rules.validate(claims)
    except (JoseError, PySpiffeError, ValueError, KeyError, TypeError) as error:
        raise NotAccepted(type(error).__name__) from None
    if claims["sub"] not in allowed:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="Take the key that the token brings" catches="brings its own key"
def verify_workload(token, audience, bundles, allowed, now):
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
        header = peek(token)[0]
        if "jwk" in header:
            keys = ECKey.import_key(header["jwk"])
        claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
        rules.validate(claims)
    except (JoseError, PySpiffeError, ValueError, KeyError, TypeError) as error:
        raise NotAccepted(type(error).__name__) from None
    if claims["sub"] not in allowed:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="The algorithm that the header names" catches="without a signature"
def verify_workload(token, audience, bundles, allowed, now):
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
        claims = jwt.decode(token, keys, algorithms=[peek(token)[0]["alg"]]).claims
        rules.validate(claims)
    except (JoseError, PySpiffeError, ValueError, KeyError, TypeError) as error:
        raise NotAccepted(type(error).__name__) from None
    if claims["sub"] not in allowed:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="Every key of the bundle" catches="key for certificates"
def verify_workload(token, audience, bundles, allowed, now):
    rules = JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY,
        sub={"essential": True},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
    )
    try:
        domain = SpiffeId(peek(token)[1]["sub"]).trust_domain.name
        entries = bundles[domain]["keys"]
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


# %% tags=["mistake"] exercise="know-the-workload" title="Everybody in an allowed trust domain" catches="night-desk, which has no business"
def verify_workload(token, audience, bundles, allowed, now):
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
    if domain not in {SpiffeId(name).trust_domain.name for name in allowed}:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="The name by its beginning" catches="order-desk-test"
def verify_workload(token, audience, bundles, allowed, now):
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
    if not claims["sub"].startswith(tuple(allowed)):
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="The path is the name" catches="an order-desk that is Northwharf's"
def verify_workload(token, audience, bundles, allowed, now):
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
    if SpiffeId(claims["sub"]).path not in {SpiffeId(name).path for name in allowed}:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="The trust domain by its beginning" catches="only begins like Harbor's"
def verify_workload(token, audience, bundles, allowed, now):
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
    wanted = [SpiffeId(name) for name in allowed]
    found = SpiffeId(claims["sub"])
    if not any(found.path == w.path and domain.startswith(w.trust_domain.name) for w in wanted):
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="Any end will do" catches="valid for ten years"
def verify_workload(token, audience, bundles, allowed, now):
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
    return claims


# %% tags=["mistake"] exercise="know-the-workload" title="Catch the library's errors only" catches="KeyError"
def verify_workload(token, audience, bundles, allowed, now):
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
    except (JoseError, PySpiffeError, ValueError) as error:
        raise NotAccepted(type(error).__name__) from None
    if claims["sub"] not in allowed:
        raise NotAccepted("a workload that has no business here")
    if claims["exp"] > now + LONGEST:
        raise NotAccepted("valid for too long")
    return claims


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
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

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
    with refused(
        "one of two workers that take a token in the same moment",
        by=Replayed,
        hint="Both looked, both found nothing, both took it. To look and to note have to be one step: let the insert itself fail, on a "
        "primary key over issuer and jti.",
    ):
        answers = two_at_once(path, "a3", end)
        expect(
            answers.count(None) > 0,
            f"Two workers took a fresh token in the same moment and both got {answers[0]!r}; expected one to get it.",
        )
        for error in answers:
            if error:
                raise error
    for jti in (None, "", 7):
        with refused(
            f"a token whose id is {jti!r}", by=Replayed, hint="Without an id a replay cannot be seen: refuse."
        ):
            worker.take(ISSUER, jti, end, NOW)
    for number in range(12):
        worker.take(ISSUER, f"busy-{number}", end, NOW + 2)
    with refused(
        "the first token after twelve others",
        by=Replayed,
        hint="An id was forgotten because others came; forget by time only.",
    ):
        worker.take(ISSUER, "a1", end, NOW + 3)
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
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="Insert or ignore" catches="`insert or ignore`, or an error that is caught"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            db.execute("insert or ignore into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


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
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values ('', ?, ?)", (issuer + jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="Forget at exp" catches="in its last second"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="Forget after a minute" catches="in its last second"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, now + 60))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="Never forget" catches="the file grows for ever"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="Keep the newest ten" catches="after twelve others"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where rowid not in (select rowid from used order by rowid desc limit 10)")
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="No id, no check" catches="whose id is None"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            return  # RFC 7519 does not demand a jti
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                raise Replayed("a token that was used before") from None

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


# %% tags=["mistake"] exercise="count-it-once" title="Note it, and let it pass" catches="the same token again"
class Once:
    def __init__(self, path):
        self.path = path
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists used (issuer, jti, until, primary key (issuer, jti))")

    def take(self, issuer, jti, expires, now):
        if not isinstance(jti, str) or not jti:
            raise Replayed("a token without an id")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from used where until < ?", (now,))
            try:
                db.execute("insert into used values (?, ?, ?)", (issuer, jti, expires + LEEWAY))
            except sqlite3.IntegrityError:
                pass

    def __len__(self):
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute("select count(*) from used").fetchone()[0]


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
# primary key decides it inside the database. The check runs that race with two threads, and has each wait after its look until
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
# (`secrets.token_urlsafe(12)`). And `act` is `{"sub": the agent}`. Had the subject token an `act` already, that one goes *inside*:
# `{"sub": the agent, "act": {"sub": the one that acted before}}`.
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
    dana = signed_in(DANA, DESK, "orders.write payments.refund mail.read")
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
    long = ask(DESK, {**dana, "exp": NOW + 5_000}, ORDERS, both)
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
        "night-desk wants to refund for Dana": (
            (NIGHT, signed_in(DANA, NIGHT, both), PAYMENTS, "payments.refund"),
            "GRANTS says what the agent may do where.",
        ),
        "order-desk goes to payments without orders": (
            (DESK, dana, PAYMENTS, "payments.refund"),
            "GRANTS is per agent and audience: a right at orders is none at payments.",
        ),
        "an exchange that names no scope": ((DESK, dana, ORDERS, ""), "No scope is not every scope: refuse."),
        "a third hand in the chain": (
            (PAYMENTS, second, PAYOUT, "payments.refund"),
            "Count the links after adding the new one, and stop at LONGEST_CHAIN.",
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
def grant(agent, subject, form, now):
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
    if not asked or not asked <= both_may:
        raise ExchangeRefused("a scope that the agent or the person does not have")
    act = {"sub": form.get("actor", agent["sub"])}
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="A token for Dana, like Dana's own" catches="Without `act` the ledger"
def grant(agent, subject, form, now):
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
        "aud": form["audience"],
        "scope": " ".join(sorted(asked)),
        "exp": min(now + LIFETIME, subject["exp"]),
        "jti": secrets.token_urlsafe(12),
    }


def acting(claims, actors):
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="Scopes as a list" catches="expected one text"
def grant(agent, subject, form, now):
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
        "scope": sorted(asked),
        "exp": min(now + LIFETIME, subject["exp"]),
        "jti": secrets.token_urlsafe(12),
    }


def acting(claims, actors):
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="The agent asks, the person acts" catches="`sub` is the person"
def grant(agent, subject, form, now):
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
        "sub": agent["sub"],
        "act": {"sub": subject["sub"]},
        "aud": form["audience"],
        "scope": " ".join(sorted(asked)),
        "exp": min(now + LIFETIME, subject["exp"]),
        "jti": secrets.token_urlsafe(12),
    }


def acting(claims, actors):
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="The last one counts" catches="forgets which agent asked"
def grant(agent, subject, form, now):
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
    if not asked or not asked <= both_may:
        raise ExchangeRefused("a scope that the agent or the person does not have")
    act = {"sub": agent["sub"]}
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="Add the new actor at the end" catches="orders outside"
def grant(agent, subject, form, now):
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
    if not asked or not asked <= both_may:
        raise ExchangeRefused("a scope that the agent or the person does not have")
    act = json.loads(json.dumps(subject.get("act", {})))
    last = act
    while "act" in last:
        last = last["act"]
    if last:
        last["act"] = {"sub": agent["sub"]}
    else:
        act = {"sub": agent["sub"]}
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="The agent's rights are enough" catches="Tom, a trainee"
def grant(agent, subject, form, now):
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    both_may = GRANTS.get((agent["sub"], form["audience"]), set())
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="Scopes by substring" catches="may only request refunds"
def grant(agent, subject, form, now):
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    may = GRANTS.get((agent["sub"], form["audience"]), set())
    both_may = {scope for scope in may if scope in subject["scope"]}
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="The person's rights are enough" catches="night-desk wants to refund"
def grant(agent, subject, form, now):
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    both_may = set(subject["scope"].split())
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="Rights of the agent, wherever" catches="order-desk goes to payments without orders"
def grant(agent, subject, form, now):
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    both_may = {s for (who, _), scopes in GRANTS.items() if who == agent["sub"] for s in scopes} & set(
        subject["scope"].split()
    )
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="Whoever holds the token may trade it" catches="night-desk trades in"
def grant(agent, subject, form, now):
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="No scope means all" catches="names no scope"
def grant(agent, subject, form, now):
    if subject["aud"] != agent["sub"]:
        raise ExchangeRefused("the subject token is made out to somebody else")
    asked = set(form.get("scope", "").split())
    both_may = GRANTS.get((agent["sub"], form["audience"]), set()) & set(subject["scope"].split())
    asked = asked or both_may
    if not asked <= both_may:
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="A fresh five minutes at each hop" catches="outlives"
def grant(agent, subject, form, now):
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
        "exp": now + LIFETIME,
        "jti": secrets.token_urlsafe(12),
    }


def acting(claims, actors):
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="Copy the token and change what differs" catches="jti is missing, or was used"
def grant(agent, subject, form, now):
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
        "jti": subject["jti"],
    }


def acting(claims, actors):
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="A chain without an end" catches="a third hand"
def grant(agent, subject, form, now):
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not chain or chain[0] not in actors:
        raise NotAccepted("whoever acts has no business here")
    return chain


# %% tags=["mistake"] exercise="name-the-actor" title="Somebody in the chain is known" catches="with orders in its past"
def grant(agent, subject, form, now):
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
    chain, link = [], claims.get("act")
    while link:
        chain.append(link["sub"])
        link = link.get("act")
    if not set(chain) & set(actors):
        raise NotAccepted("whoever acts has no business here")
    return chain


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

    def __init__(self, plan, refresh):
        self.when, self.refresh = {step: second for second, step in plan}, refresh
        self.old, self.new = Authority("harbor.example", "old"), Authority("harbor.example", "new")
        self._published = {who: who.bundle()["keys"] for who in (self.old, self.new)}
        self._answers = {}

    def signer(self, second):
        return self.new if second >= self.when["sign with new"] else self.old

    def bundle(self, second, phase):
        """What a server holds that last fetched at phase, phase + refresh, ..."""
        fetched = phase + (second - phase) // self.refresh * self.refresh
        new, old = fetched >= self.when["publish new"], fetched < self.when["withdraw old"]
        return (self._published[self.new] if new else []) + (self._published[self.old] if old else [])

    def show(self, signer, second, phase):
        """Show a token of `signer` to a server. Raises NotAccepted; the same question is asked once only."""
        entries = self.bundle(second, phase)
        asked = (signer is self.new, tuple(entry["kid"] for entry in entries))
        if asked not in self._answers:
            try:
                held = {"harbor.example": {"keys": entries}}
                verify_workload(signer.svid(DESK, ORDERS), ORDERS, held, {DESK}, NOW)
                self._answers[asked] = True
            except NotAccepted:
                self._answers[asked] = False
        if not self._answers[asked]:
            which, holds = ("new" if signer is self.new else "old"), " and ".join(asked[1]) or "no key"
            fetched = phase + (second - phase) // self.refresh * self.refresh
            raise NotAccepted(
                f"at second {second} a token signed with the {which} key is shown to a server that fetched at second {fetched} and "
                f"holds: {holds}"
            )


with check("change-the-key"):
    for refresh, lifetime in ((300, 300), (60, 600), (600, 60)):
        plan = rotation(refresh, lifetime)
        try:
            complete = sorted(step for _, step in plan) == sorted(STEPS) and min(int(s) for s, _ in plan) >= 0
        except (TypeError, ValueError):
            complete = False
        expect(complete, f"rotation returned {plan!r}; expected each of the three steps once, as (second, step).")
        drill, phases = Drill(plan, refresh), (0, refresh // 2, refresh - 1)
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
# exchanges; `payments` takes only tokens that id.harbor.example signed, made out to it, with `orders` as the actor, and counts each
# once.


# %%
class Identity:
    """id.harbor.example: verifies both tokens, asks grant(), signs what it says."""

    def __init__(self, agents):
        self.agents = set(agents)

    def sign(self, claims):
        return jwt.encode({"alg": "ES256", "kid": "id-1"}, claims, idp.keys[0])

    def exchange(self, actor_token, subject_token, audience, scope, now=NOW):
        agent = verify_workload(actor_token, ISSUER, bundles, self.agents, now)
        subject = own_claims(subject_token, agent["sub"], now)
        return self.sign(grant(agent, subject, {"audience": audience, "scope": scope}, now))


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


class Payments:
    """payments, repaired: it reads who acts, and counts each token once."""

    def __init__(self):
        self.ledger, self.once = [], Once(new_memory())

    def refund(self, token, order, cents, now=NOW):
        claims = own_claims(token, PAYMENTS, now)
        chain = acting(claims, {ORDERS})
        self.once.take(ISSUER, claims.get("jti"), claims["exp"], now)
        self.ledger.append(Refund(order, cents, claims["sub"], " for ".join(a.rpartition("/")[2] for a in chain)))
        return self.ledger[-1]


identity, payments = Identity({DESK, NIGHT, ORDERS}), Payments()
dana_signed_in = identity.sign(signed_in(DANA, DESK, "orders.write payments.refund"))


def through_orders(agent, person_token):
    """The token that payments gets to see when `agent` asks orders to refund."""
    first = identity.exchange(harbor.svid(agent, ISSUER), person_token, ORDERS, "orders.write payments.refund")
    return identity.exchange(harbor.svid(ORDERS, ISSUER), first, PAYMENTS, "payments.refund")


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
# ## Take it home
#
# `files/check_workload_token.py` reads one token and the keys you trust, and says what a server ought to find: for JWT-SVIDs
# and for Kubernetes service-account tokens. Its `verify` is exercise 1 for your own server. Here it looks at four tokens.

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

# %% [markdown]
# ## What this does not cover
#
# - **Attestation.** The platform says which workload asks. Whoever may start pods under `order-desk`'s service account *is*
#   `order-desk`, and so is every other program in that pod.
# - **The first use by a thief.** A stolen token that arrives before the honest one counts. Binding the token to a key of the
#   workload helps: X.509-SVIDs over mutual TLS, or DPoP. JWT-SVIDs are bearer tokens.
# - **A recorded JWT-SVID.** It is not counted, so it works at id.harbor.example until it ends. Alone it buys nothing there: an exchange
#   also takes a person's token that is made out to this very agent.
# - **A hijacked agent with Dana at the keyboard.** It may do what both may do. That is a matter for policy on each call, and
#   for an approval above a limit.
# - **A customer who writes a mail** has signed in nowhere. Never put such a person into `sub`: the agent acts for the shop then.
# - **Prior actors.** They are what id.harbor.example wrote down; nothing in the token proves that they took part.
# - **What is already out.** `night-desk` was switched off at id.harbor.example; a token that it holds counts until it expires.

# %% [markdown] tags=["instructor"]
# 60 minutes: 14 for the parties and attacks 1 to 7 (let people guess which of the five the signature stops: none), 17, 9, 15 and 5 for
# the exercises. With 45 minutes do exercises 1 and 3 and show 2 and 4.
#
# - Before exercise 1: "Both firms call their key 2026-11. Whose fault is that?" Nobody's: a `kid` is a label inside one key set.
# - The library's list is worth five minutes. Ask who would have shipped it as it stands. In spiffe 0.3.2 the token without `exp` is a KeyError, and
#   the missing check of an expiry was a security fix in SPIRE 1.11.3: the same gap, twice.
# - Exercise 2: ask for the answer to "the store is down". Refuse; a store that fails open is no store.
# - Exercise 3: rule 3 is where people disagree. Let somebody defend the agent's own rights for night batches; then there is no person, and `sub`
#   is the agent. What must not happen is a token that looks like a person's and was asked for by nobody.
# - A chain of two is our choice for this shop. RFC 8693 sets no bound.
# - Exercise 4: plan and emergency are two procedures. Ask for the emergency's order before you show the solution.
