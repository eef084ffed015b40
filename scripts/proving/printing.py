"""Chromium as a printer: one HTML file in, one PDF out, nothing asked of the network."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from proving import processes

OLDEST = 131  # The first that prints what @page says at the foot of a page.
SECONDS = 900
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
_PLACES = {
    "darwin": (
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ),
    "win32": (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
        r"C:\Program Files\Microsoft\Edge\Application\msedge.exe",
    ),
}
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--blink-settings=preferredColorScheme=1",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
)


class PrintFailed(Exception):
    """Chromium gave no PDF; the text says why and what to do."""


def find_chromium() -> str:
    """The Chromium of this machine, or the empty string."""
    found = (shutil.which(name) for name in _NAMES)
    places = (place for place in _PLACES.get(sys.platform, ()) if Path(place).is_file())
    return next((path for path in (*found, *places) if path), "")


def print_to_pdf(chromium: str, page: Path, target: Path) -> None:
    """Print the file `page` into the file `target`. Raises `PrintFailed`."""
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="proving-print-", ignore_cleanup_errors=True) as profile:
        # Chromium's sandbox does not start for root; the page is our own, and holds no script.
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [chromium, *_FLAGS, *root, f"--user-data-dir={profile}", f"--print-to-pdf={target}", page.as_uri()]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise PrintFailed(f"{chromium} cannot be started ({error.strerror}). Install Chromium anew.") from error
        try:
            _, said = process.communicate(timeout=SECONDS)
        except BaseException as error:
            processes.kill_tree(process.pid)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise PrintFailed(
                    f"{chromium} printed for {SECONDS} s and was stopped. Try on an idle machine."
                ) from error
            raise
    if not target.is_file() or target.stat().st_size == 0:
        last = re.sub(r"\s+", " ", said.decode("utf-8", "replace")).strip()[-300:]
        raise PrintFailed(f"{chromium} printed nothing (exit code {process.returncode}). It said: {last or 'nothing'}")


def version(chromium: str) -> int:
    """The first part of Chromium's version; 0 when it does not say."""
    try:
        said = subprocess.run([chromium, "--version"], capture_output=True, timeout=60, stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(rb"(\d+)\.\d+\.\d+", said)
    return int(match[1]) if match else 0
