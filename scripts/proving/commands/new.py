"""new.py: a skeleton that validates as incomplete, with a list of what it lacks."""

import argparse
import re
import shutil
from datetime import date

from proving import source
from proving.display import complain, say
from proving.paths import checkout

# What the folders labs/ and docs/labs/ already use.
TAKEN = ("labkit", "harbor", "fixtures", "files", "index")
SKELETON = '''# ---
# title: {title}
# summary: "TODO: the question this lab answers, one sentence"
# track: start
# lesson: {lesson}
# minutes: 30
# level: working
# needs: any
# browser: false
# threats: []
# controls: []
# versions: []
# protocols: []
# takeaway: take-home.txt
# sources:
#   - {{title: "TODO: a source you read", url: "https://harbor.example/", read: {today}}}
# verified: {today}
# ---

# %% [markdown]
# TODO: the story, in Harbor Goods: who has what to lose. Then what the learner will do.

# %% tags=["setup"]
from labkit import begin, check, landed, refused, works

lab = begin("{slug}")


class Refused(Exception):
    """TODO: the error that means refusal in this lab."""


# %% tags=["attack"]
# TODO: the attack on the undefended system; the evidence is what the attacker gained.
landed("TODO: what the attacker reached", "TODO: what it looks like")

# %% [markdown]
# TODO: what the first exercise asks for, and the one idea behind it.

# %% tags=["exercise"] id="first" title="TODO: a verb" minutes=10
def defend(request: str) -> str:
    """TODO: what comes in, what goes out, which error means refusal."""
    ### BEGIN SOLUTION
    # TODO: the solution
    raise Refused(request)
    ### END SOLUTION


# %% tags=["check"] exercise="first"
with check("first"):
    with refused("TODO: the attack", by=Refused, hint="TODO: what was seen, what was expected, which control is missing."):
        defend("attack")
    with works("TODO: honest use", hint="TODO: who can no longer work, and why."):
        defend("honest")

# %% tags=["mistake"] exercise="first" title="TODO: refuse everything" catches="TODO: a part of the hint"
def defend(request: str) -> str:
    raise Refused(request)


# %% tags=["mistake"] exercise="first" title="TODO: accept everything" catches="TODO: a part of the hint"
def defend(request: str) -> str:
    return request


# %% tags=["mistake"] exercise="first" title="TODO: what a thoughtful engineer would write" catches="TODO: a part of the hint"
def defend(request: str) -> str:
    return request


# %% [markdown]
# TODO: what this control does not cover.

# %% [markdown] tags=["instructor"]
# TODO: minutes, what people ask, what to say when time is short.
'''


def main(arguments: list[str]) -> int:
    """Write labs/SLUG/lab.py and its take-home file; print the to-do list. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="new.py", description="Make a new lab that says what it still lacks.")
    parser.add_argument(
        "slug", help="lower case words joined by hyphens; it names the folder, the notebook and the page"
    )
    options = parser.parse_args(arguments)
    tree, slug = checkout(), options.slug
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        complain(f"{slug!r} is no slug. Use lower case words joined by hyphens, for instance verify-every-block.")
        return 2
    folder = tree.labs / slug
    if folder.exists() or slug in TAKEN:
        complain(f"labs/{slug} exists already, or has another meaning; nothing was changed. Choose another name.")
        return 2
    lessons = sorted(
        p.relative_to(tree.docs).as_posix() for place in ("learn", "start") for p in (tree.docs / place).rglob("*.md")
    )
    text = SKELETON.format(
        slug=slug,
        title=slug.replace("-", " ").capitalize(),
        today=date.today(),
        lesson=lessons[0] if lessons else "index.md",
    )
    try:
        (folder / "files").mkdir(parents=True)
        (folder / "files" / "take-home.txt").write_text("TODO: what the learner uses on Monday.\n", encoding="utf-8")
        (folder / "lab.py").write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        complain(
            f"labs/{slug} cannot be written ({error.strerror}). Copy the course to a folder of your own and run it there."
        )
        return 2
    lab = source.read(tree, slug)
    say(f"Made labs/{slug}/lab.py. It validates as incomplete until these are done:")
    for todo in lab.todos:
        say(f"  labs/{slug}/lab.py:{todo.line}  {todo.text}")
    say(f"Then: python3 scripts/validate.py {slug}, python3 scripts/sync.py, and a line in the nav of mkdocs.yml.")
    return 0
