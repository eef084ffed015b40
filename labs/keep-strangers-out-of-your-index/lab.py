# ---
# title: Keep strangers out of your index
# summary: Which of your install commands would run a stranger's code, and which four rules stop it?
# track: supply-chain
# lesson: learn/supply-chain/names-indexes-and-cooldowns.md
# minutes: 55
# level: working
# needs: any
# browser: false
# threats: ["ASI04:2026", "LLM04:2026"]
# controls: [index-pinning, hash-locked-installs, dependency-cooldown, dependency-name-review]
# versions: [pip, uv]
# protocols: ["PEP 503", "PEP 658", "PEP 691", "PEP 700"]
# takeaway: pyproject-fragment.toml
# sources:
#   - title: "uv documentation: Package indexes"
#     url: https://docs.astral.sh/uv/concepts/indexes/
#     read: 2026-11-23
#   - title: "pip documentation: User guide, filtering by upload time"
#     url: https://pip.pypa.io/en/stable/user_guide/#filtering-by-upload-time
#     read: 2026-11-23
#   - title: "pip documentation: pip install, finding packages and hash-checking mode"
#     url: https://pip.pypa.io/en/stable/cli/pip_install/
#     read: 2026-11-23
#   - title: "PEP 700: Additional fields for the simple API for package indexes"
#     url: https://peps.python.org/pep-0700/
#     read: 2026-11-23
# verified: 2026-11-23
# ---

# %% [markdown]
# Harbor Goods keeps three packages of its own on `packages.harbor.example` and takes the rest from the public index. A
# package name says nothing about who wrote the code behind it: whoever asks two indexes for one name, takes the highest
# number, or installs what an agent typed, lets a stranger choose the answer.
#
# You will see three such installs go wrong with real pip and real uv. Then you write four rules: which index owns which
# name, which bytes a version means, how old a release must be, and who may bring in a name that nobody here has used.
#
# Both indexes run on loopback for the length of one call. A "stranger's" package writes a marker file into this lab's own
# folder and does nothing else.

# %% tags=["setup"]
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uv
from fixtures.package_index import NOWHERE, File, Upload, isolated, normalized, readdressed, sdist, serve, wheel
from labkit import begin, check, expect, landed, refused, works

lab = begin("keep-strangers-out-of-your-index")

HARBOR = "https://packages.harbor.example/simple"  # stands for Harbor's index; served on loopback
PUBLIC = "https://public.example/simple"  # stands for the public index; served on loopback
PIP, UV = (sys.executable, "-I", "-m", "pip"), (uv.find_uv_bin(),)
CANARIES = lab.dir / "canaries"
CANARIES.mkdir()


class Refused(Exception):
    """pip or uv declined to install, for a reason that is its job."""


class ToolFailed(Exception):
    """pip or uv stopped for any other reason: a broken file, an unknown address."""


REASONS = (
    "not found in the package registry",
    "requirements are unsatisfiable",
    "Hash mismatch",
    "In `--require-hashes` mode",
    "In --require-hashes mode",
    "no trusted hash was provided",
    "DO NOT MATCH THE HASHES",
)


def tool(urls: dict[str, str], *command: object, cwd: Path = lab.dir) -> None:
    """Run pip or uv with the two addresses turned into loopback ones."""
    words = [str(word).replace(HARBOR, urls["harbor"]).replace(PUBLIC, urls["public"]) for word in command]
    environment = isolated(lab.dir) | {"LAB_CANARIES": str(CANARIES)}
    silent = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 60}
    done = subprocess.run(words, cwd=cwd, env=environment, check=False, **silent)
    shown = done.stderr.replace(urls["harbor"], HARBOR).replace(urls["public"], PUBLIC)
    said = [line.strip().removeprefix("cause: ").removeprefix("╰─▶ ") for line in shown.splitlines()]
    ignored = next((said[at:] for at, line in enumerate(said) if "during settings discovery" in line), [])
    expect(
        not ignored,
        "uv could not read your settings and ignored all of them (a moment is text, in quotes); it stumbled over "
        f"{unread(ignored)}. Expected settings that uv takes: without them no index is tied and no release waits.",
    )
    if done.returncode == 0:
        return
    for at, line in enumerate(said):
        if any(reason in line for reason in REASONS):
            begins = max((n for n in range(at + 1) if said[n].startswith("Because ")), default=at)
            raise Refused(" ".join(said[begins : at + 1]))
    if NOWHERE in shown:
        raise ToolFailed("no default index is declared, so the tool turned to its own, which this lab keeps shut")
    raise ToolFailed(" ".join(line for line in said if not line.startswith("Using "))[:300])


def unread(warning: list[str]) -> str:
    """Of uv's warning about settings, which ends with an empty line: what could not be read, and why."""
    about = warning[: [*warning, ""].index("")]
    keys = [line.partition("|")[2].partition("=")[0].strip() for line in about if re.match(r"\d+ \|", line)]
    return " ".join(f"`{key}`: {about[-1].split(', expected one of')[0]}" for key in keys)


def from_stranger(how: str) -> str:
    """What the stranger's code does: it leaves a marker, and proves by it that it ran."""
    return f"import os, pathlib\npathlib.Path(os.environ['LAB_CANARIES'], {how!r}).write_text('a stranger ran code: {how}')\n"


def canary(how: str) -> str:
    """The marker's text, or nothing when the stranger's code did not run."""
    marker = CANARIES / how
    return marker.read_text() if marker.exists() else ""


# %% [markdown]
# ## What lies on the two indexes
#
# | name | Harbor's index | the public index |
# |---|---|---|
# | `harbor-orders` | 1.4.0, needs `harbor-money` | 99.0.0, by a stranger |
# | `harbor-money` | 1.1.0 | 99.0.0, by a stranger |
# | `parcel-rates` | - | 1.9.0; 2.0.0 (nine days old, needs `tidewire`); 2.0.1 (an hour old, from a stolen account) |
# | `tidewire` | - | 3.1.0 |
# | `parcel-rates-async` | - | 0.1.0: a name that a model made up and a stranger registered |
#
# The stranger's `harbor-orders` is a source distribution. Building one runs its code, and an installer builds what it
# installs.

# %%
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def hooked(name: str, version: str) -> File:
    """A source distribution whose build hook runs the stranger's code, then hands over a wheel."""
    built = wheel(name, version)
    hook = f"def build_wheel(folder, *_):\n    pathlib.Path(folder, {built.filename!r}).write_bytes({built.data!r})\n"
    return sdist(name, version, backend=from_stranger("build hook") + hook + f"    return {built.filename!r}\n")


OWN = [
    Upload(wheel("harbor-orders", "1.4.0", requires=["harbor-money"]), None),  # this index tells no upload times
    Upload(wheel("harbor-money", "1.1.0"), None),
]
STRANGERS = [
    Upload(hooked("harbor-orders", "99.0.0"), 60 * DAY),
    Upload(wheel("harbor-money", "99.0.0", code=from_stranger("import")), 60 * DAY),
    Upload(wheel("parcel-rates", "2.0.1", code=from_stranger("hijacked release"), requires=["tidewire"]), HOUR),
    Upload(wheel("parcel-rates-async", "0.1.0", code=from_stranger("made-up name")), 60 * DAY),
]
HONEST = [
    Upload(wheel("parcel-rates", "1.9.0", requires=["tidewire"]), 400 * DAY),
    Upload(wheel("parcel-rates", "2.0.0", requires=["tidewire"]), 9 * DAY),
    Upload(wheel("tidewire", "3.1.0"), 200 * DAY),
]

# %% [markdown]
# ## The attack: a higher number on a second index
#
# The command below asks the company's index, and the public one "in addition". pip has no order among indexes: it puts all
# candidates on one pile and takes the highest version.

# %% tags=["attack"]
with serve({"harbor": OWN, "public": HONEST + STRANGERS}) as urls:
    flags = ("--no-deps", "--no-compile", "--target", lab.dir / "first")
    tool(urls, *PIP, "install", *flags, "--index-url", HARBOR, "--extra-index-url", PUBLIC, "harbor-orders")

taken = next((lab.dir / "first").glob("harbor_orders-*.dist-info")).name
landed(f"pip took {taken.removesuffix('.dist-info')} from the public index", canary("build hook"))

# %% [markdown]
# The marker was written **during the install**, by the build hook. Nothing had been imported yet. A scan of what was
# installed comes too late; so does a code review.
#
# ## Two more: a stolen account, and a name that a model made up
#
# Harbor's coding agent was asked to "make the rate look-up asynchronous". It wrote the requirements below. The first line
# is right, and `parcel-rates` got a release an hour ago from a maintainer's stolen account. The second line names a
# package that no one at Harbor had heard of.

# %% tags=["attack"]
AGENT_WROTE = "parcel-rates>=2\nparcel-rates-async\n"

with serve({"harbor": OWN, "public": HONEST + STRANGERS}) as urls:
    (lab.dir / "agent.txt").write_text(AGENT_WROTE)
    tool(urls, *UV, "pip", "install", "--target", lab.dir / "second", "--default-index", PUBLIC, "-r", "agent.txt")

program = f"import sys; sys.path.insert(0, {str(lab.dir / 'second')!r}); import parcel_rates, parcel_rates_async"
subprocess.run([sys.executable, "-I", "-c", program], env=os.environ | {"LAB_CANARIES": str(CANARIES)}, check=True)
landed("uv took the release of the last hour", canary("hijacked release"))
landed("uv took a name that only a model knew", canary("made-up name"))

# %% [markdown]
# The tools did what they were told. Each install was **under-specified**: the command left a question open, and a
# stranger answered it. The four exercises close the questions one by one.
#
# ## 1. Which index owns which name?
#
# Write the index settings of a `pyproject.toml` for uv. In uv, `[[tool.uv.index]]` entries are asked in the order in which
# they stand; an entry with `default = true` is asked last, whatever its place; and the search stops at the first index
# that knows the name. The settings that you start from contain a line that changes this: with
# `index-strategy = "unsafe-best-match"` uv asks all indexes and takes the highest version, as pip does.
#
# An entry in `[tool.uv.sources]`, such as `some-name = { index = "harbor" }`, ties a name to one index and ends the search
# there. An index with `explicit = true` answers only for names that are tied to it.
#
# `OUR_NAMES` lists every name that Harbor uses or has ever used. The check locks two projects with your settings:
#
# - `order-desk` asks for `harbor-orders` and `parcel-rates`. What these two need must come from the right place as well;
# - `back-office` asks for one of Harbor's names that has been retired: Harbor's index no longer holds it. (Each of them has its turn.)

# %%
OUR_NAMES = ["harbor-orders", "harbor-money", "harbor-labels"]


def lock(
    settings: str,
    wanted: Sequence[str],
    public: Sequence[Upload],
    now: datetime | None = None,
    own: Sequence[Upload] = OWN,
) -> tuple[dict[str, str], set[str]]:
    """Lock a project with uv; return {name: "version from harbor" or "version from public"}, and the wheels that may be used."""
    project = f'[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = {list(wanted)}\n'
    with serve({"harbor": own, "public": public}, now) as urls, tempfile.TemporaryDirectory(dir=lab.dir) as folder:
        text = readdressed(project + settings, {HARBOR: urls["harbor"], PUBLIC: urls["public"]})
        Path(folder, "pyproject.toml").write_text(text, encoding="utf-8")
        tool(urls, *UV, "lock", cwd=Path(folder))
        packages = tomllib.loads(Path(folder, "uv.lock").read_text(encoding="utf-8"))["package"]
        where = {address: index for index, address in urls.items()}
        found = {p["name"]: (p["version"], p["source"].get("registry")) for p in packages}
        wheels = {w["url"].rpartition("/")[2] for p in packages for w in p.get("wheels", ())}
        return {name: f"{version} from {where[url]}" for name, (version, url) in found.items() if url}, wheels


# %% tags=["exercise"] id="index-pinning" title="Tie Harbor's names to Harbor's index" minutes=12
### BEGIN SOLUTION
INDEXES = """
[[tool.uv.index]]
name = "harbor"
url = "https://packages.harbor.example/simple"

[[tool.uv.index]]
name = "public"
url = "https://public.example/simple"
default = true

[tool.uv.sources]
harbor-orders = { index = "harbor" }
harbor-money = { index = "harbor" }
harbor-labels = { index = "harbor" }
"""
### STUB
# INDEXES = """
# [tool.uv]
# index-strategy = "unsafe-best-match"
#
# [[tool.uv.index]]
# name = "harbor"
# url = "https://packages.harbor.example/simple"
#
# [[tool.uv.index]]
# name = "public"
# url = "https://public.example/simple"
# default = true
# """
### END SOLUTION

# %% tags=["check"] exercise="index-pinning"
RETIRED = Upload(wheel("harbor-labels", "99.0.0", code=from_stranger("import")), 60 * DAY)

SHELF = [*HONEST, *STRANGERS[1:], RETIRED, Upload(wheel("harbor-orders", "99.0.0"), 60 * DAY)]
UNDER_WAY = Upload(
    wheel("harbor-orders", "1.5.0", requires=["harbor-money>=2"]), None
)  # that harbor-money is not out yet

with check("index-pinning"):
    with works(
        "order-desk gets its packages",
        hint="Both indexes must be declared, Harbor's for Harbor's names and the public one as the default for the rest.",
    ):
        desk, _ = lock(INDEXES, ["harbor-orders", "parcel-rates"], SHELF, own=[*OWN, UNDER_WAY])
        for name in ("harbor-orders", "harbor-money"):
            expect(
                desk.get(name, "").endswith("harbor"),
                f"{name} {desk.get(name)}: expected Harbor's index. "
                + (
                    "The name is not asked for by the project itself but by harbor-orders, and a source binds only what "
                    "the project asks for: Harbor's index must also be asked first, and the search end there (not explicit, and no "
                    "index-strategy that goes on)."
                    if desk["harbor-orders"].endswith("harbor")
                    else "Tie the name to Harbor's index; do not let the highest version decide."
                ),
            )
        expect(desk.get("parcel-rates", "").endswith("public"), "parcel-rates did not come from the public index.")
    for name in reversed(OUR_NAMES):
        with refused(
            f"{name}, retired, which a stranger has registered",
            by=Refused,
            hint=f"{name} came from the public index, because Harbor's no longer holds it and uv went on to the next. "
            "Order protects only names that the first index still has: tie every name in OUR_NAMES to Harbor's index.",
        ):
            lock(INDEXES, [name], SHELF, own=[upload for upload in OWN if upload.file.project != name])
    asks_elsewhere = False
    with refused("a name that nobody has", by=Refused, hint="It was found."):
        try:
            lock(INDEXES, ["no-such-name"], SHELF)
        except ToolFailed:
            asks_elsewhere = True
        expect(
            not asks_elsewhere,
            "For a name that neither index knows, uv turned to an index of its own, which is the real public one outside of this "
            "lab; expected that it says no: one of the two has to be the default.",
        )

# %% tags=["mistake"] exercise="index-pinning" title="Keep the extra index as a second one" catches="do not let the highest version decide"
INDEXES = """
[tool.uv]
extra-index-url = ["https://packages.harbor.example/simple"]
index-url = "https://public.example/simple"
index-strategy = "unsafe-best-match"
"""

# %% tags=["mistake"] exercise="index-pinning" title="Rely on the order of the indexes" catches="Order protects only names that the first index still has"
# -
# - [tool.uv.sources]
# - harbor-orders = { index = "harbor" }
# - harbor-money = { index = "harbor" }
# - harbor-labels = { index = "harbor" }


# %% tags=["mistake"] exercise="index-pinning" title="Tie the names, and make the index explicit" catches="a source binds only what"
# - url = "https://packages.harbor.example/simple"
# + url = "https://packages.harbor.example/simple"
# + explicit = true


# %% tags=["mistake"] exercise="index-pinning" title="Ask Harbor's index for everything" catches="No longer works: order-desk gets its packages"
INDEXES = """
[[tool.uv.index]]
name = "harbor"
url = "https://packages.harbor.example/simple"
default = true
"""

# %% tags=["mistake"] exercise="index-pinning" title="Tie what projects ask for" catches="Got through: harbor-money, retired"
# - harbor-money = { index = "harbor" }


# %% tags=["mistake"] exercise="index-pinning" title="The first index with a version that fits" catches="no index-strategy that goes on"
# - INDEXES = """
# + INDEXES = """
# + [tool.uv]
# + index-strategy = "unsafe-first-match"
# +


# %% tags=["mistake"] exercise="index-pinning" title="Tie the one name that was attacked" catches="Order protects only names that the first index still has"
# - harbor-money = { index = "harbor" }
# - harbor-labels = { index = "harbor" }


# %% [markdown] tags=["solution"] exercise="index-pinning"
# Order and sources do different work, and you need both. A **source** ends the search: a tied name that is missing is an
# error. It binds only what this project asks for, though. For what others ask for, **order** decides: Harbor's index
# stands first, so `harbor-money` is found there before anyone else is asked.
#
# `explicit = true` looks stricter and is weaker here: it takes Harbor's index out of the search, and a name that only
# another package asks for goes to the public index. With it, the project has to name such packages itself (uv's dependency
# groups or overrides will do).
#
# One hole stays: a retired name that only *another package* asks for. The lock file shows it, because it writes down the
# index of each package. Cheaper than any setting: keep retired names on your index, as empty packages, for ever.

# %% [markdown]
# ## 2. Which bytes does a version mean?
#
# A version number names a release, not a file. Whoever holds the index, a mirror or a cache on the way can serve other
# bytes under the same name. Whoever holds the account can add a file to a release that is already out.
#
# Your team has reviewed and tested a set of files. Write `pin(reviewed, listed)`: the text of a requirements file that
# installs exactly these. `reviewed` holds the files that were tested (`.project`, `.version`, `.filename`, `.data`,
# `.sha256`, computed from the bytes). `listed` is what the index says today: file name to hash; you may use it or not. `pin`
# only writes the text: to refuse other bytes is uv's part.
#
# A line looks like `parcel-rates==2.0.0 --hash=sha256:...`. Someone may add a line without a hash to your file later.
# In pip one hash in the file demands hashes for all; uv checks the hashes that are there, and demands them only when the
# file or the command says `--require-hashes`.

# %%
REVIEWED = [upload.file for upload in HONEST if upload.file.version in ("2.0.0", "3.1.0")]


def installed(requirements: str, public: Sequence[Upload]) -> dict[str, str]:
    """Install with uv into an empty folder; return {file name: its text}."""
    with serve({"harbor": OWN, "public": public}) as urls, tempfile.TemporaryDirectory(dir=lab.dir) as folder:
        text = readdressed(requirements, {HARBOR: urls["harbor"], PUBLIC: urls["public"]})
        Path(folder, "requirements.txt").write_text(text, encoding="utf-8")
        flags = ("--quiet", "--no-config", "--target", "site", "--default-index", PUBLIC)
        tool(urls, *UV, "pip", "install", *flags, "-r", "requirements.txt", cwd=Path(folder))
        return {path.name: path.read_text() for path in Path(folder, "site").glob("*.py")}


# %% tags=["exercise"] id="hashes" title="Pin the bytes that were reviewed" minutes=8
def pin(reviewed: Sequence[File], listed: dict[str, str]) -> str:
    """The requirements file that installs `reviewed`, these bytes and no others."""
    ### BEGIN SOLUTION
    lines = [f"{file.project}=={file.version} --hash=sha256:{file.sha256}" for file in reviewed]
    return "\n".join(["--require-hashes", *lines, ""])
    ### STUB
    # return "\n".join(f"{file.project}=={file.version}" for file in reviewed)
    ### END SOLUTION


# %% tags=["check"] exercise="hashes"
def told(uploads: Sequence[Upload]) -> dict[str, str]:
    """What an index says about its files."""
    return {upload.file.filename: upload.file.sha256 for upload in uploads}


def swapped(uploads: Sequence[Upload], project: str) -> list[Upload]:
    """The same shelf with the stranger's bytes in the files of `project`, under the same names."""
    bad = {
        u.file.filename: wheel(project, u.file.version, code=from_stranger("import"))
        for u in uploads
        if u.file.project == project
    }
    return [Upload(bad.get(upload.file.filename, upload.file), upload.age) for upload in uploads]


late = Upload(wheel("parcel-rates", "2.0.0", code=from_stranger("import"), requires=["tidewire"], build="1"), HOUR)
press = [Upload(wheel("label-press", "0.9.0", requires=["tidewire"]), 30 * DAY), HONEST[2]]

with check("hashes"):
    with works(
        "the reviewed files install, with what they need",
        hint="Each reviewed file needs one line with its exact version and the hash of its bytes, dependencies included.",
    ):
        shelf = [*HONEST, late]
        site = installed(pin(REVIEWED, told(shelf)), shelf)
        expect(
            set(site) == {"parcel_rates.py", "tidewire.py"},
            f"Installed: {sorted(site) or 'nothing'}. Expected both files.",
        )
        expect(
            "stranger" not in site["parcel_rates.py"],
            "A stranger's file got in: one added an hour ago to release 2.0.0, under its own file name. A version names a "
            "release, and wheels are no safer than sources; only a hash names a file.",
        )
    with refused(
        "a line without a hash, added later",
        by=Refused,
        hint="parcel-rates-async was installed without a hash beside lines that have one. uv demands hashes for all lines "
        "only when it is told so: the file must say it.",
    ):
        shelf = [*HONEST, *STRANGERS]
        installed(pin(REVIEWED, told(shelf)) + "\nparcel-rates-async\n", shelf)
    with works(
        "the text is written, whatever the index says", hint="pin only writes: to refuse other bytes is uv's part."
    ):
        shelf = swapped(press, "tidewire")
        text = pin([upload.file for upload in press], told(shelf))
    with refused(
        "other bytes under the name and version of a dependency",
        by=Refused,
        hint="The stranger's bytes were installed. A hash that the index tells is no proof: whoever swaps the file swaps "
        "that line too. Take the hash from the bytes you reviewed.",
    ):
        installed(text, shelf)


# %% tags=["mistake"] exercise="hashes" title="Take the hash from the index" catches="A hash that the index tells is no proof"
def pin(reviewed: Sequence[File], listed: dict[str, str]) -> str:
    lines = [f"{file.project}=={file.version} --hash=sha256:{listed[file.filename]}" for file in reviewed]
    return "\n".join(["--require-hashes", *lines])


# %% tags=["mistake"] exercise="hashes" title="Exact versions, wheels only" catches="only a hash names a file"
def pin(reviewed: Sequence[File], listed: dict[str, str]) -> str:
    return "\n".join(["--only-binary :all:", *(f"{file.project}=={file.version}" for file in reviewed)])


# %% tags=["mistake"] exercise="hashes" title="A hash on a range" catches="must have their versions pinned with `==`"
def pin(reviewed: Sequence[File], listed: dict[str, str]) -> str:
    lines = [f"{file.project}>={file.version} --hash=sha256:{file.sha256}" for file in reviewed]
    return "\n".join(["--require-hashes", *lines])


# %% tags=["mistake"] exercise="hashes" title="Lock what you asked for, not what it needs" catches="no trusted hash was provided"
def pin(reviewed: Sequence[File], listed: dict[str, str]) -> str:
    lines = [f"{file.project}=={file.version} --hash=sha256:{file.sha256}" for file in reviewed]
    return "\n".join(["--require-hashes", lines[0]])


# %% tags=["mistake"] exercise="hashes" title="Hashes, but not required" catches="the file must say it"
def pin(reviewed: Sequence[File], listed: dict[str, str]) -> str:
    return "\n".join(f"{file.project}=={file.version} --hash=sha256:{file.sha256}" for file in reviewed)


# %% tags=["mistake"] exercise="hashes" title="Install nothing" catches="Installed: nothing"
def pin(reviewed: Sequence[File], listed: dict[str, str]) -> str:
    return "--require-hashes\n"


# %% tags=["mistake"] exercise="hashes" title="Hard-code the reviewed set of today" catches="Got through: other bytes"
def pin(reviewed: Sequence[File], listed: dict[str, str]) -> str:
    lines = [f"{file.project}=={file.version} --hash=sha256:{file.sha256}" for file in REVIEWED]
    return "\n".join(["--require-hashes", *(lines if reviewed == REVIEWED else [])])


# %% [markdown] tags=["solution"] exercise="hashes"
# `uv lock`, `uv export` and `pip lock` write such a file for you. They take the hashes from the index on the day you lock,
# and that is sound as long as the locked files are the ones you then test, and the lock changes only in a reviewed commit.
# A pipeline that locks again on each run has hashes and no protection.

# %% [markdown]
# ## 3. How old must a release be?
#
# A lock protects until the day you update. On that day the release of the last hour is a candidate again. A **cooldown**
# lets others meet it first: nothing younger than seven days, counted from the upload time that the index reports, not
# from the version number.
#
# The price: a security fix is young by nature. So there is an exception, for one release, that a person signed for: at Harbor
# that is Noor, who looks after the index, and her name stands in `approved_by`. An exception with an empty `approved_by` is
# a request, not an exception.
#
# Write `cooldown(exceptions)`: the `[tool.uv]` settings as text. (Names are plain, and one has one exception at most.) uv knows
#
# | setting | what it does |
# |---|---|
# | `exclude-newer = "7 days"` | below `[tool.uv]`: leaves out releases that are younger. Here a duration, which rolls on; a moment would stand still |
# | `[tool.uv.exclude-newer-package]` | a table of its own, after what belongs to `[tool.uv]`; each key in it is a package's name |
# | `some-name = "2026-11-22T09:31:00+00:00"` | in that table, a moment: admits what was uploaded *before* it, be it by a second |
# | `some-name = "3 days"`, `some-name = false` | in that table: another wait for this name, or none |
# | `constraint-dependencies = ["some-name<2"]` | below `[tool.uv]`: bounds a version, whoever asks for it |
#
# Durations and moments are text, in quotes; `moment.isoformat()` writes one. uv ignores *all* settings of a file in which it
# cannot read one.
#
# Harbor's own index tells no upload times. uv treats a file without one as unavailable, so the settings below already
# exempt that index, and only that index.


# %%
@dataclass(frozen=True)
class FixNow:
    """A release that is wanted before its time. `uploaded` is when it reached the index."""

    name: str
    version: str
    uploaded: datetime
    approved_by: str


COOLED_INDEXES = """
[[tool.uv.index]]
name = "harbor"
url = "https://packages.harbor.example/simple"
exclude-newer = false

[[tool.uv.index]]
name = "public"
url = "https://public.example/simple"
default = true

[tool.uv.sources]
harbor-orders = { index = "harbor" }
"""


# %% tags=["exercise"] id="cooldown" title="Let others meet it first" minutes=15
def cooldown(exceptions: Sequence[FixNow]) -> str:
    """The [tool.uv] settings: seven days for all, and the approved releases at once."""
    ### BEGIN SOLUTION
    lines = ["[tool.uv]", 'exclude-newer = "7 days"', "[tool.uv.exclude-newer-package]"]
    for fix in exceptions:
        if fix.approved_by:
            until = fix.uploaded + timedelta(seconds=1)
            lines.append(f'{fix.name} = "{until.isoformat()}"')
    return "\n".join(lines)
    ### STUB
    # return "[tool.uv]"
    ### END SOLUTION


# %% tags=["check"] exercise="cooldown"
CLOCK = datetime.now(UTC).replace(
    minute=0, second=0, microsecond=0
)  # what the index calls now, so that no two uploads straddle a day
FIX = FixNow("tidewire", "3.1.1", CLOCK - 26 * HOUR, approved_by="Noor")
ALSO = FixNow("route-maps", "2.3.1", CLOCK - 5 * DAY, approved_by="Noor")
ASKED = FixNow("label-press", "0.9.1", CLOCK - 3 * DAY, approved_by="")
YOUNG = [
    *HONEST,
    *STRANGERS,
    Upload(wheel("tidewire", "3.1.1"), 26 * HOUR),
    Upload(wheel("tidewire", "3.1.2", code=from_stranger("import")), 26 * HOUR - timedelta(seconds=30)),
    Upload(wheel("tidewire", "3.1.1", code=from_stranger("import"), build="1"), HOUR),
    Upload(wheel("route-maps", "2.3.0"), 90 * DAY),
    Upload(wheel("route-maps", "2.3.1"), 5 * DAY),
    Upload(wheel("route-maps", "2.3.2", code=from_stranger("import")), 2 * DAY),
    Upload(wheel("label-press", "0.9.0"), 30 * DAY),
    Upload(wheel("label-press", "0.9.1", code=from_stranger("import")), 3 * DAY),
    Upload(wheel("stamp-kit", "1.0.0"), 30 * DAY),
    Upload(wheel("stamp-kit", "1.1.0"), 7 * DAY + 2 * HOUR),
    Upload(wheel("stamp-kit", "1.2.0", code=from_stranger("import")), 7 * DAY - 3 * HOUR),
]

MOMENT = "a moment admits what was uploaded before it, so it must be later than the upload, by a second."
OPEN = "came after it, and nobody has seen it. An exception is for one release: it shuts again right behind it."
RIGHT = {
    "parcel-rates": ("2.0.0", "2.0.0 is nine days old and 2.0.1 one hour: seven days of upload time decide."),
    "label-press": (
        "0.9.0",
        "0.9.1 is three days old and no person approved it; a request does not shorten the wait, and a rule about one known "
        "version number sees no other.",
    ),
    "tidewire": ("3.1.1", "3.1.1 is the security fix that Noor approved, uploaded 26 hours ago"),
    "route-maps": ("2.3.1", "2.3.1 is approved by Noor as well, uploaded five days ago"),
    "stamp-kit": (
        "1.1.0",
        "1.1.0 is two hours older than seven days, 1.2.0 a few hours younger: the wait is seven days.",
    ),
}
LATER = {"tidewire": "3.1.2, half a minute younger,", "route-maps": "2.3.2, three days younger,"}


def read_as_toml(settings: str) -> dict:
    """The settings as a dictionary; the check fails with a sentence when they are none."""
    broken = ""
    try:
        return tomllib.loads(settings)
    except (AttributeError, TypeError, tomllib.TOMLDecodeError) as error:
        broken = str(error)
    expect(
        not broken,
        f"What cooldown returned is no TOML: {broken}. Expected the text of settings, a `key = value` a line.",
    )
    return {}


def is_moment(setting: object) -> bool:
    """Whether a setting is a point in time, and no duration."""
    try:
        datetime.fromisoformat(str(setting))
    except ValueError:
        return False
    return True


with check("cooldown"):
    settings = cooldown([FIX, ASKED, ALSO])
    of_uv = read_as_toml(settings).get("tool", {}).get("uv", {})
    per_package = of_uv.get("exclude-newer-package", {})
    expect(
        "exclude-newer" not in per_package and "constraint-dependencies" not in per_package,
        "exclude-newer or constraint-dependencies stands below the header [tool.uv.exclude-newer-package], where every key is "
        "a package's name; expected it above that header, below [tool.uv].",
    )
    expect(
        not is_moment(of_uv.get("exclude-newer", "")),
        f"exclude-newer is {of_uv.get('exclude-newer')}, a moment, and stands still from the day on which it was written; expected a "
        "duration, which rolls on.",
    )
    with works(
        "of old, young and urgent releases, the right ones are locked",
        hint="A cooldown must leave releases of more than seven days and Harbor's own packages alone. What is approved needs an "
        f"entry, and {MOMENT}",
    ):
        asked_for = ["harbor-orders", "parcel-rates", "label-press", "route-maps", "stamp-kit"]
        got, wheels = lock(settings + "\n" + COOLED_INDEXES, asked_for, YOUNG, CLOCK)
        for name, (version, why) in RIGHT.items():
            found = got[name].split()[0]
            if name in LATER:
                why += f"; {LATER[name]} {OPEN}" if found > version else f". It needs an entry of its own, and {MOMENT}"
            expect(found == version, f"{name} was locked at {found}, expected {version}. {why}")
        expect(
            "tidewire-3.1.1-1-py3-none-any.whl" not in wheels,
            "A file that was added to tidewire 3.1.1 an hour ago may be installed: the whole release is exempt, for good. Expected a "
            "moment just behind the upload that Noor approved.",
        )
    with refused(
        "a release of the last hour, asked for by its number",
        by=Refused,
        hint="parcel-rates 2.0.1 was locked, one hour after its upload. Set exclude-newer for all packages.",
    ):
        lock(cooldown([]) + "\n" + COOLED_INDEXES, ["parcel-rates==2.0.1"], YOUNG)


# %% tags=["mistake"] exercise="cooldown" title="A moment without quotes" catches="uv could not read your settings and ignored all of them (a moment is text, in quotes); it stumbled over `tidewire`"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    lines = ["[tool.uv]", 'exclude-newer = "7 days"', "[tool.uv.exclude-newer-package]"]
    lines += [f"{e.name} = {(e.uploaded + timedelta(minutes=1)).isoformat()}" for e in exceptions if e.approved_by]
    return "\n".join(lines)


# %% tags=["mistake"] exercise="cooldown" title="The moment of the upload" catches="It needs an entry of its own, and a moment admits"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    lines = ["[tool.uv]", 'exclude-newer = "7 days"', "[tool.uv.exclude-newer-package]"]
    lines += [f'{e.name} = "{e.uploaded.isoformat()}"' for e in exceptions if e.approved_by]
    return "\n".join(lines)


# %% tags=["mistake"] exercise="cooldown" title="The moment of the upload, and the version" catches="What is approved needs an entry, and a moment admits"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    approved = [e for e in exceptions if e.approved_by]
    lines = ["[tool.uv]", 'exclude-newer = "7 days"']
    lines += [
        f"constraint-dependencies = {[f'{e.name}=={e.version}' for e in approved]}",
        "[tool.uv.exclude-newer-package]",
    ]
    lines += [f'{e.name} = "{e.uploaded.isoformat()}"' for e in approved]
    return "\n".join(lines)


# %% tags=["mistake"] exercise="cooldown" title="A day is enough for a fix" catches="tidewire was locked at 3.1.2"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    lines = ["[tool.uv]", 'exclude-newer = "7 days"', "[tool.uv.exclude-newer-package]"]
    return "\n".join([*lines, *(f'{e.name} = "1 day"' for e in exceptions if e.approved_by)])


# %% tags=["mistake"] exercise="cooldown" title="One exception at a time" catches="route-maps was locked at 2.3.0"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    lines = ["[tool.uv]", 'exclude-newer = "7 days"', "[tool.uv.exclude-newer-package]"]
    for e in exceptions:
        if e.approved_by:
            return "\n".join([*lines, f'{e.name} = "{(e.uploaded + timedelta(seconds=1)).isoformat()}"'])
    return "\n".join(lines)


# %% tags=["mistake"] exercise="cooldown" title="The wait for all below the wrong header" catches="where every key is a package's name"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    lines = ["[tool.uv.exclude-newer-package]"]
    lines += [f'{e.name} = "{(e.uploaded + timedelta(minutes=1)).isoformat()}"' for e in exceptions if e.approved_by]
    return "\n".join([*lines, 'exclude-newer = "7 days"'])


# %% tags=["mistake"] exercise="cooldown" title="Block the version you read about" catches="a rule about one known version number sees no other"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    return '[tool.uv]\nconstraint-dependencies = ["parcel-rates!=2.0.1", "tidewire!=3.1.2"]'


# %% tags=["mistake"] exercise="cooldown" title="No way in for an urgent fix" catches="tidewire was locked at 3.1.0"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    return '[tool.uv]\nexclude-newer = "7 days"'


# %% tags=["mistake"] exercise="cooldown" title="Exempt the package instead of the release" catches="tidewire was locked at 3.1.2"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    exempt = [f"{fix.name} = false" for fix in exceptions if fix.approved_by]
    return "\n".join(["[tool.uv]", 'exclude-newer = "7 days"', "[tool.uv.exclude-newer-package]", *exempt])


# %% tags=["mistake"] exercise="cooldown" title="Exempt the package, and bound its version" catches="A file that was added to tidewire 3.1.1"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    approved = [e for e in exceptions if e.approved_by]
    bounds = [f"{e.name}<={e.version}" for e in approved]
    lines = ["[tool.uv]", 'exclude-newer = "7 days"', f"constraint-dependencies = {bounds}"]
    return "\n".join([*lines, "[tool.uv.exclude-newer-package]", *(f"{e.name} = false" for e in approved)])


# %% tags=["mistake"] exercise="cooldown" title="Seven days before today" catches="stands still from the day on which it was written"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    lines = ["[tool.uv]", f'exclude-newer = "{(datetime.now(UTC) - timedelta(days=7)).isoformat()}"']
    lines.append("[tool.uv.exclude-newer-package]")
    lines += [f'{e.name} = "{(e.uploaded + timedelta(seconds=1)).isoformat()}"' for e in exceptions if e.approved_by]
    return "\n".join(lines)


# %% tags=["mistake"] exercise="cooldown" title="Take a request for an approval" catches="label-press was locked at 0.9.1"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    exempt = [f'{fix.name} = "{(fix.uploaded + timedelta(minutes=1)).isoformat()}"' for fix in exceptions]
    return "\n".join(["[tool.uv]", 'exclude-newer = "7 days"', "[tool.uv.exclude-newer-package]", *exempt])


# %% tags=["mistake"] exercise="cooldown" title="Shorten the cooldown for all until the fix fits" catches="label-press was locked at 0.9.1"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    return '[tool.uv]\nexclude-newer = "1 day"'


# %% tags=["mistake"] exercise="cooldown" title="Refuse everything" catches="No longer works: of old, young and urgent releases"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    return '[tool.uv]\nexclude-newer = "3650 days"'


# %% tags=["mistake"] exercise="cooldown" title="Exempt everything as soon as one fix is urgent" catches="parcel-rates was locked at 2.0.1"
def cooldown(exceptions: Sequence[FixNow]) -> str:
    return '[tool.uv]\nexclude-newer = "0 days"' if exceptions else '[tool.uv]\nexclude-newer = "7 days"'


# %% [markdown] tags=["solution"] exercise="cooldown"
# A moment just behind the approved upload opens the door for that release and shuts it again. `false` together with
# `constraint-dependencies = ["tidewire==3.1.1"]` bounds the version and no file: whoever has the account adds one to 3.1.1. The
# moment ages into a harmless leftover: after seven days it permits nothing that the rule would not, but it now *holds the package
# back*, so delete it then.
#
# pip has the same rule as `--uploaded-prior-to P7D` and stops with an error when an index reports no upload times. It has
# no exception per package: behind pip, let the approved file in by hash from a folder of your own.

# %% [markdown]
# ## 4. Who may bring in a name?
#
# The made-up name was registered 60 days ago: no cooldown stops it. It exists, it installs, and an agent that may edit
# the lock writes its hash as well. What is missing is a person who says that this name belongs here.
#
# Write `review(before, after, approved)` for the pipeline: both texts of the requirements file, and the names that a
# person has approved. Raise `AskAPerson` when the change brings in a name that was neither there nor approved, or **any
# other line that was not there before**: an index option or an address decides where code comes from. Raise it as well when an
# option (a line that begins with `-`) is gone: that may have been `--require-hashes`.
#
# `lines` and `PLAIN` are given: `PLAIN.fullmatch(line)[1]` is the name in a plain requirement. Names are equal when their
# `normalized` forms are, wherever they stand: `Parcel_Rates` is `parcel-rates`.


# %%
class AskAPerson(Exception):
    """The change needs a decision that no tool may take."""


# A name, perhaps extras, perhaps versions and a marker; no option, no address.
PLAIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~;](?:(?!\s-).)*)?")


def lines(requirements: str) -> list[str]:
    """The lines that count: without comments, then continued ones joined, without hashes."""
    said = re.sub(
        r"(?m)(^|[ \t])#.*", "", requirements
    )  # first: a comment ends with its line, a backslash at its end or not
    stripped = (re.sub(r"(^|\s)--hash=\S+", "", line).strip() for line in said.replace("\\\n", " ").splitlines())
    return [line for line in stripped if line]


# %% tags=["exercise"] id="unknown-names" title="Ask before an unknown name" minutes=8
def review(before: str, after: str, approved: Sequence[str]) -> None:
    """Raise AskAPerson when the change from `before` to `after` needs a person."""
    ### BEGIN SOLUTION
    known = {normalized(name) for name in approved}
    known |= {normalized(found[1]) for line in lines(before) if (found := PLAIN.fullmatch(line))}
    for line in lines(after):
        found = PLAIN.fullmatch(line)
        if line not in lines(before) and (found is None or normalized(found[1]) not in known):
            raise AskAPerson(line)
    for line in lines(before):
        if line.startswith("-") and line not in lines(after):
            raise AskAPerson(f"gone: {line}")
    ### END SOLUTION


# %% tags=["check"] exercise="unknown-names"
BEFORE = (
    "--index-url https://packages.harbor.example/simple\n--require-hashes\nparcel-rates>=2\ntidewire  # transport\n"
)

with check("unknown-names"):
    for what, honest in (
        (
            "a version moved up, the name spelled another way",
            BEFORE.replace("parcel-rates>=2", "Parcel_Rates[json]>=2.1"),
        ),
        ("a name that a person approved, spelled in two ways", BEFORE + "Label.Press==0.9.0\n"),
        (
            "a hash on a line of its own, after a backslash",
            BEFORE.replace("tidewire ", "tidewire==3.1.0 \\\n  --hash=sha256:00 "),
        ),
        ("a line taken out, a comment put in", BEFORE.replace("tidewire", "# tidewire is part of parcel-rates now")),
    ):
        with works(what, hint="Known names, in any spelling, and lines that were there need no person."):
            review(BEFORE, honest, ["Label_Press"])
    for what, line in (
        ("the made-up name", "parcel-rates-async"),
        ("a name one letter short", "parcel-rate>=2"),
        ("the same, without a version", "parcel-rate"),
        ("a name that stands in a comment only", "transport"),
        ("a made-up name, behind a comment that ends in a backslash", "# note \\\nparcel-rates-async"),
        ("a made-up name with a version and a hash", "tidewire-http2==1.0 --hash=sha256:" + "0" * 64),
        ("a second index", "--extra-index-url https://public.example/simple"),
        ("another file of requirements", "-r other.txt"),
        ("an index option behind a known name", "tidewire==3.1.0 --index-url https://public.example/simple"),
        ("a known name at an address of its own", "tidewire @ https://files.example/tidewire-3.1.0-py3-none-any.whl"),
    ):
        with refused(
            what,
            by=AskAPerson,
            hint=f"The line `{line.split(' --hash')[0]}` passed and nobody here asked for it. A name is known when the file "
            "held it or a person approved it, whole and normalized; a line that is no plain requirement is never known.",
        ):
            review(BEFORE, BEFORE + line + "\n", ["Label_Press"])
    for what, old, new in (
        ("another index in the place of the first", HARBOR, PUBLIC),
        ("the demand for hashes taken out", "--require-hashes\n", ""),
    ):
        with refused(
            what, by=AskAPerson, hint="An option was changed or is gone: that is a decision, whatever the names are."
        ):
            review(BEFORE, BEFORE.replace(old, new), ["Label_Press"])


# %% tags=["mistake"] exercise="unknown-names" title="Ask the index whether the name exists" catches="Got through: the made-up name"
def review(before: str, after: str, approved: Sequence[str]) -> None:
    exists = {upload.file.project for upload in YOUNG}
    for line in lines(after):
        found = PLAIN.fullmatch(line)
        if line not in lines(before) and (found is None or normalized(found[1]) not in exists):
            raise AskAPerson(line)


# %% tags=["mistake"] exercise="unknown-names" title="Know a name by how it begins" catches="Got through: the made-up name"
def review(before: str, after: str, approved: Sequence[str]) -> None:
    known = (*(re.split(r"[^a-z-]", line)[0] for line in lines(before) if line[0] != "-"), *map(normalized, approved))
    for line in lines(after):
        if line not in lines(before) and not normalized(line).startswith(known):
            raise AskAPerson(line)


# %% tags=["mistake"] exercise="unknown-names" title="Compare names as they are spelled" catches="No longer works: a version moved up"
def review(before: str, after: str, approved: Sequence[str]) -> None:
    known = {*approved, *(found[1] for line in lines(before) if (found := PLAIN.fullmatch(line)))}
    for line in lines(after):
        found = PLAIN.fullmatch(line)
        if line not in lines(before) and (found is None or found[1] not in known):
            raise AskAPerson(line)


# %% tags=["mistake"] exercise="unknown-names" title="Take approvals as they were typed" catches="No longer works: a name that a person approved"
def review(before: str, after: str, approved: Sequence[str]) -> None:
    known = {*approved, *(normalized(found[1]) for line in lines(before) if (found := PLAIN.fullmatch(line)))}
    for line in lines(after):
        found = PLAIN.fullmatch(line)
        if line not in lines(before) and (found is None or normalized(found[1]) not in known):
            raise AskAPerson(line)


# %% tags=["mistake"] exercise="unknown-names" title="Look at plain requirements only" catches="Got through: a second index"
def review(before: str, after: str, approved: Sequence[str]) -> None:
    known = {normalized(name) for name in approved}
    known |= {normalized(found[1]) for line in lines(before) if (found := PLAIN.fullmatch(line))}
    for line in lines(after):
        if (found := PLAIN.fullmatch(line)) and normalized(found[1]) not in known:
            raise AskAPerson(line)


# %% tags=["mistake"] exercise="unknown-names" title="Look for the line in the text" catches="Got through: the same, without a version"
def review(before: str, after: str, approved: Sequence[str]) -> None:
    known = {normalized(name) for name in approved}
    known |= {normalized(found[1]) for line in lines(before) if (found := PLAIN.fullmatch(line))}
    for line in lines(after):
        found = PLAIN.fullmatch(line)
        if line not in before and (found is None or normalized(found[1]) not in known):
            raise AskAPerson(line)
    if not {line for line in lines(before) if line[0] == "-"} <= set(lines(after)):
        raise AskAPerson("an option is gone")


# %% tags=["mistake"] exercise="unknown-names" title="What is gone does no harm" catches="Got through: the demand for hashes taken out"
# -     for line in lines(before):
# -         if line.startswith("-") and line not in lines(after):
# -             raise AskAPerson(f"gone: {line}")


# %% tags=["mistake"] exercise="unknown-names" title="Ask about every change" catches="No longer works: a version moved up"
def review(before: str, after: str, approved: Sequence[str]) -> None:
    if before != after:
        raise AskAPerson("the file changed")


# %% tags=["mistake"] exercise="unknown-names" title="Never ask" catches="Got through: the made-up name"
def review(before: str, after: str, approved: Sequence[str]) -> None:
    return None


# %% [markdown] tags=["solution"] exercise="unknown-names"
# The rule does not judge the name, and it needs no list of bad ones. It notices that something was decided and hands the
# decision over. Versions and hashes are none of its business (one hash swapped for another passes): the lock and its reviewer answer
# for those. Run it where the agent cannot edit it: a required check on a protected branch, not a step in the same job.
# A person who is asked needs something to look at: age of the project, its source, who maintains it, why the standard
# library will not do.

# %% [markdown]
# ## The same attacks again
#
# First the agent's line meets your review. Then suppose that someone overrides it, and run the careless command of the
# beginning, extra index and all. Both strangers' `99.0.0` are still there. What has changed is the file: it carries your pins.

# %% tags=["attack"]
for marker in CANARIES.iterdir():
    marker.unlink()

pins = pin([upload.file for upload in [*OWN, *HONEST[1:]]], {})
with refused("the agent's line, at review", by=AskAPerson, hint="review() let an unknown name pass."):
    review(pins, pins + "parcel-rates-async\n", [])


def careless(requirements: str) -> list[str]:
    """The command of the beginning, with a requirements file; what it installed."""
    flags = ("--no-compile", "--target", lab.dir / "third", "-r", "requirements.txt")
    with serve({"harbor": OWN, "public": HONEST + STRANGERS}) as urls:
        text = readdressed(requirements, {HARBOR: urls["harbor"], PUBLIC: urls["public"]})
        (lab.dir / "requirements.txt").write_text(text)
        tool(urls, *PIP, "install", *flags, "--index-url", HARBOR, "--extra-index-url", PUBLIC)
    return sorted(path.stem for path in (lab.dir / "third").glob("*.dist-info"))


with works("the careless command with your pins", hint="pin() must cover every file it is given."):
    print(*careless(pins), sep="\n")
with refused("the agent's line, at install, by pip", by=Refused, hint="pip installed a line that has no hash."):
    careless(pins + "parcel-rates-async\n")

print("stranger's markers:", sorted(marker.name for marker in CANARIES.iterdir()) or "none")

# %% [markdown]
# Take two files home from this lab's folder `files/`: `pyproject-fragment.toml`, the settings of exercises 1 and 3 with
# comments, and `POLICY.md`, the half page to agree on with your team, with the same rules for pip.
#
# ## What this does not cover
#
# - **A hijack that stays quiet for longer than the cooldown.** The xz-utils backdoor of March 2024 was a patient takeover
#   of the project. Seven days help against what others notice within seven days, and someone has to notice it.
# - **Build-time code in a source distribution that you allowed.** A hash says *which* code runs at install time, not what
#   it does. Prefer wheels, and build the rest in a sandbox without secrets.
# - **Valid provenance on malware.** In May 2026 packages of TanStack were published by the project's own pipeline, with
#   provenance that verified. "Who built it" had a correct answer, and the attacker was inside the pipeline that gave it.
# - **Your own index taken over.** Everything here trusts it for its names. A lab that continues there, *Survive key theft*, is planned.
# - **What your agent's tools pull in at run time.** `uvx`, `npx` and plug-in markets install too, and read none of these files.

# %% [markdown] tags=["instructor"]
# **Minutes:** 6 attack, 14 exercise 1, 9 exercise 2, 16 exercise 3, 8 exercise 4, 2 the end; reading included. In a half-hour
# slot do 1 and 3 and show the others.
#
# **Before:** ask who has `--extra-index-url` in a Dockerfile or a wiki, and let people search before they answer.
#
# **Exercise 1:** the interesting wrong answer is `explicit = true`, which uv's own examples show. Let someone defend
# it, then ask where `harbor-money` came from. The point is not uv's syntax: *a rule about direct dependencies is no rule
# about the tree*.
#
# **Exercise 2:** "hash taken from the index" is what every lock command does. Ask what makes it sound on the day of
# locking and worthless on each install.
#
# **Exercise 3:** discuss who pays. If everyone waits a week, who finds the bad release? (Scanners, the maintainers, and
# whoever does not wait.) Ask how this team would tell others if it found one.
#
# **Exercise 4:** expect the proposal "check that the name exists". The stranger made sure that it does.
#
# **Real indexes:** some mirrors report no upload times; then pip's cooldown stops with an error and uv's finds nothing.
# Find out which yours does before you roll it out.
