"""Debian's programs that tests run and that are not installed, as their packages would start services here."""

from __future__ import annotations

import subprocess
from pathlib import Path

_FETCH = Path(__file__).parents[1] / "packaging" / "fetch-program"


def program(name: str) -> str:
    """Return where the program is; `make setup` has fetched it already."""
    return subprocess.run([str(_FETCH), name], check=True, capture_output=True, text=True).stdout.strip()
