"""Reads messages as Celery's redis transport (kombu) writes them, protocols 1 and 2; what is pickled stays unread.

Sources: kombu 5.7 ``transport/redis.py`` and ``transport/virtual/base.py``; celery 5.7 ``app/amqp.py``
(``as_task_v1``, ``as_task_v2``); docs.celeryq.dev, "Message Protocol".
"""

from __future__ import annotations

import bz2
import json
import lzma
import math
import zlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# Bytes of an unpacked body. A webhook's payload has some ten thousand; more would be somebody's bomb.
BODY_MAX = 4_000_000
_JSON = frozenset({"application/json", "json"})


@dataclass(frozen=True, slots=True)
class Task:
    """A task that Celery was asked to run. ``eta`` and ``expires``: epoch seconds, None for none."""

    id: str
    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    eta: float | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A message that can't be read, or must not be; ``name`` and ``id`` where its headers tell them."""

    why: str
    name: str = ""
    id: str = ""


def read(raw: bytes) -> Task | Unread:
    """Return the task in a message, or why there is none to be read. Never raises, and never unpickles."""
    try:
        message = json.loads(raw)
        headers = message.get("headers") or {}
        properties = message["properties"]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return Unread("it is no message of Celery's")
    if not isinstance(headers, dict) or not isinstance(properties, dict):
        return Unread("it is no message of Celery's")
    return _Reader(message, headers, properties).read()


def unpack_delivered(raw: bytes) -> bytes:
    """Return the message in an entry of the hash ``unacked``: ``[message, exchange, routing key]``.

    The same bytes come of the same message. What is no such entry is returned as it is.
    """
    try:
        message, _, _ = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        return raw
    return json.dumps(message).encode()


def route_of(raw: bytes) -> tuple[str, str]:
    """Return the exchange and the routing key of an entry of the hash ``unacked``; two times "" for what is none."""
    try:
        _, exchange, key = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        return "", ""
    return _text(exchange), _text(key)


@dataclass(frozen=True, slots=True)
class _Reader:
    message: Mapping[str, Any]
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]

    def read(self) -> Task | Unread:
        kind = self.message.get("content-type")
        if not isinstance(kind, str) or kind not in _JSON:
            shown = "a pickle, which is never read" if "python" in str(kind) else f"{kind}, not JSON"
            return self._unread(f"its body is {shown}")
        try:
            body = json.loads(self._body())
            # Protocol 2 names the task in a header, protocol 1 in the body.
            return self._second(body) if "task" in self.headers else self._first(body)
        except (
            ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, OSError, EOFError,
        ) as error:  # fmt: skip
            return self._unread(f"its body can't be read: {type(error).__name__}")
        except (zlib.error, lzma.LZMAError) as error:
            return self._unread(f"its body can't be unpacked: {error}")

    def _unread(self, why: str) -> Unread:
        return Unread(why, *(_printable(_text(self.headers.get(one))) for one in ("task", "id")))

    def _body(self) -> bytes:
        body = self.message["body"]
        raw = b64decode(body) if self.properties.get("body_encoding") == "base64" else str(body).encode()
        packing = self.headers.get("compression")
        return raw if not packing else _unpack(raw, str(packing))

    def _second(self, body: Any) -> Task:  # noqa: ANN401 -- whatever the JSON holds
        args, kwargs, _ = body
        return self._task(self.headers, self.headers["task"], args, kwargs)

    def _first(self, body: Any) -> Task:  # noqa: ANN401 -- as above
        return self._task(body, body["task"], body.get("args") or [], body.get("kwargs") or {})

    def _task(self, told: Mapping[str, Any], name: object, args: object, kwargs: object) -> Task:
        if not isinstance(name, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
            raise TypeError
        identity = _text(told.get("id") or self.properties.get("correlation_id"))
        # Half a character, which JSON can hold, is none that can be printed, or be a part of a key.
        if not _is_whole(name) or not _is_whole(identity):
            raise ValueError
        return Task(identity, name, tuple(args), kwargs, moment(told.get("eta")), moment(told.get("expires")))


def moment(told: object) -> float | None:
    """Return a time as Celery writes it, ISO 8601 and in UTC where no zone is told; raises ValueError for nonsense."""
    if told is None or told == "":
        return None
    if isinstance(told, (int, float)):
        if not math.isfinite(at := float(told)):
            raise ValueError("endless")
        return at
    when = datetime.fromisoformat(str(told))
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _unpack(raw: bytes, packing: str) -> bytes:
    kind = packing.rpartition("/")[2].removeprefix("x-")
    if kind == "gzip":
        # Celery means zlib's own format by it; a real gzip is taken as well.
        return _bounded(zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, BODY_MAX + 1))
    if kind == "bz2":
        return _bounded(bz2.BZ2Decompressor().decompress(raw, BODY_MAX + 1))
    if kind == "lzma":
        return _bounded(lzma.LZMADecompressor().decompress(raw, BODY_MAX + 1))
    raise ValueError(f"packed as {packing}")


def _bounded(body: bytes) -> bytes:
    if len(body) > BODY_MAX:
        raise ValueError("too large")
    return body


def _is_whole(told: str) -> bool:
    return told == _printable(told)


def _printable(told: str) -> str:
    return told.encode(errors="replace").decode()


def _text(told: object) -> str:
    return told[:500] if isinstance(told, str) else ""
