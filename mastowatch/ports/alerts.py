"""The port to whoever is told when a breaker trips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Alert:
    """What is told. ``text`` says all of it in one line; ``at`` is ISO 8601. Nothing of any account."""

    event: str
    rule_id: str
    by: str
    why: str
    at: str
    instance: str
    text: str


class Alerts(Protocol):
    """An address that alerts go to."""

    def send(self, alert: Alert) -> None:
        """Send it; raises AlertNotSent unless its receipt was confirmed."""
        ...
