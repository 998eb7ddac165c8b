"""Values that a browser keeps for us and can't alter: signed, with what they are for and when they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

# A clock may be set back a little; a value from the future would live longer than it should.
_AHEAD_S = 60.0


class Seal:
    """Seals small mappings as text that is safe in a cookie. One ``purpose`` can't open what another has sealed."""

    def __init__(self, key: bytes, purpose: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Without its two arguments itsdangerous would sign with SHA-1. What is sealed is JSON: opening it runs nothing.
        options = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        self._serializer = URLSafeSerializer(key, salt=f"mastowatch {purpose}", signer_kwargs=options)

    def close(self, values: Mapping[str, str]) -> str:
        """Return ``values`` sealed."""
        return str(self._serializer.dumps([self._clock(), dict(values)]))

    def open(self, text: str | None, life_s: float) -> tuple[float, dict[str, str]] | None:
        """Return when it was sealed (epoch seconds) and the values, or None: it is not ours, or past ``life_s``."""
        # Packed values begin with a dot; another one stands before the signature, and no other: base64 skips what it
        # does not know, so that the same signature would be good for more than one text.
        if not text or text.removeprefix(".").count(".") != 1:
            return None
        try:
            sealed: Any = self._serializer.loads(text)
        except BadData:
            return None
        at, values = sealed
        if not -_AHEAD_S <= self._clock() - at < life_s:
            return None
        return at, values
