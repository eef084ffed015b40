# ---
# title: Keep the till closed
# summary: Who may open the till?
# track: start
# lesson: start/till.md
# minutes: 10
# level: first steps
# needs: any
# browser: true
# threats: []
# controls: []
# versions: [ipython]
# protocols: []
# takeaway: rule.txt
# sources:
#   - {title: The till, url: "https://harbor.example/till", read: 2026-11-23}
# verified: 2026-11-23
# ---

# %% [markdown]
# The till opens for everyone.

# %% tags=["setup"]
from labkit import begin, check, expect, landed, refused, works

lab = begin("tiny")


class Closed(Exception):
    """The till stays shut."""


def open_till(who: str) -> str:
    return f"{who} has the money"


# %% tags=["attack"]
landed("a stranger empties the till", open_till("stranger"))

# %% [markdown]
# Write the rule.


# %% tags=["exercise"] id="rule" title="Write the rule" minutes=5
def guard(who: str) -> str:
    """Open the till for staff; raise Closed for anyone else."""
    ### BEGIN SOLUTION
    if who not in ("ada", "bo"):
        raise Closed(who)
    return open_till(who)
    ### END SOLUTION


# %% tags=["check"] exercise="rule"
with check("rule"):
    with refused("the stranger", by=Closed, hint="Refuse whoever is not on the list of staff."):
        guard("stranger")
    with refused("a near name", by=Closed, hint="Compare the whole name."):
        guard("adam")
    with works("Ada opens", hint="Staff has to be served."):
        expect(guard("ada") == "ada has the money", "The till stayed empty: guard must return what open_till returns.")


# %% tags=["mistake"] exercise="rule" title="Refuses everyone" catches="Staff has to be served"
def guard(who: str) -> str:
    raise Closed(who)


# %% tags=["mistake"] exercise="rule" title="Refuses one name" catches="Compare the whole name"
def guard(who: str) -> str:
    if who == "stranger":
        raise Closed(who)
    return open_till(who)


# %% tags=["mistake"] exercise="rule" title="Returns nothing" catches="guard must return"
def guard(who: str) -> None:
    if who not in ("ada", "bo"):
        raise Closed(who)


# %% [markdown] tags=["solution"] exercise="rule"
# A list of who may, not of who may not.

# %% [markdown] tags=["instructor"]
# Two minutes.

# %%
print(sorted({"ada", "bo"}))
