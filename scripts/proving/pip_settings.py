"""pip's settings in uv's words, so that a company's index, certificate or proxy counts whichever of the two installs."""

from __future__ import annotations

import configparser
import contextlib
import os
import sys
from pathlib import Path

UV_SETTINGS = ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_CONFIG_FILE")
FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def for_uv() -> tuple[dict[str, str], list[str]]:
    """Environment variables and options for uv: none when the user has set up uv itself."""
    if any(name in os.environ for name in UV_SETTINGS) or any(path.is_file() for path in _uv_files()):
        return {}, []
    pip = _read()
    settings = {theirs: pip[ours] for ours, theirs in FROM_PIP.items() if pip.get(ours) and theirs not in os.environ}
    if "UV_FIND_LINKS" in settings:
        settings["UV_FIND_LINKS"] = ",".join(settings["UV_FIND_LINKS"].split())
    if settings:
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does; the hashes decide what is good
    no_index = pip.get("no-index", "").lower() in ("1", "true", "yes", "on")
    return settings, ["--no-index"] if no_index else []


def _read() -> dict[str, str]:
    """From pip's files, where the later counts, and its environment variables, which count most."""
    found: dict[str, str] = {}
    for path in _pip_files():
        parser = configparser.RawConfigParser()
        with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read(path, "utf-8")
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key.replace("_", "-"): " ".join(value.split()) for key, value in parser.items(section)})
    for key in (*FROM_PIP, "no-index"):
        value = os.environ.get("PIP_" + key.upper().replace("-", "_"))
        if value is not None:
            found[key] = value
    return found


def _pip_files() -> list[Path]:
    chosen = os.environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    home = Path(os.path.expanduser("~"))
    if os.name == "nt":
        data, common = Path(os.environ.get("APPDATA", home)), Path(os.environ.get("PROGRAMDATA", home))
        files = [common / "pip" / "pip.ini", home / "pip" / "pip.ini", data / "pip" / "pip.ini"]
    else:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
        files += [home / "Library/Application Support/pip/pip.conf"] if sys.platform == "darwin" else []
        files += [config / "pip" / "pip.conf"]
    return [*files, Path(chosen)] if chosen else files


def _uv_files() -> list[Path]:
    home = Path(os.path.expanduser("~"))
    if os.name == "nt":
        return [Path(os.environ.get(name, home)) / "uv" / "uv.toml" for name in ("APPDATA", "PROGRAMDATA")]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [config / "uv" / "uv.toml", Path("/etc/xdg/uv/uv.toml"), Path("/etc/uv/uv.toml")]
