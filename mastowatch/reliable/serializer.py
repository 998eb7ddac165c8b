"""JSON only: a pickle in a shared Redis is code execution, so nothing here can read one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from redis import Redis
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

_DATES = ("created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat")


class JsonJob(Job):
    """An RQ job whose arguments and results are JSON.

    rq-scheduler takes no serializer argument, so the default lives in the class. Pickled data fails to load
    with rq.exceptions.DeserializationError and is never unpickled.
    """

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: A002, ANN401 -- RQ's own signature
        super().__init__(id=id, connection=connection)
        # Set here, as RQ would look for a protocol's methods each time: a tenth of the time that a short job takes.
        self.serializer = serializer or JSONSerializer

    def to_dict(self, include_meta: bool = True, include_result: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 -- RQ's signature
        """Return the record. It says what it is written in, which tells it from other applications' on a queue of ours.

        ``adapters/forget.lua`` deletes by this mark.
        """
        return {**super().to_dict(include_meta=include_meta, include_result=include_result), "serializer": "json"}

    def restore(self, raw_data: Any) -> None:  # noqa: ANN401 -- RQ's signature: a hash as redis-py gives it
        """Take over a record from Redis; raises ValueError and others for one that is damaged.

        Its dates are read with ``fromisoformat``, thirty times as fast as RQ's ``strptime``.
        """
        rest = {_text(key): value for key, value in raw_data.items()}
        dates = {name: rest.pop(name, None) for name in _DATES}
        super().restore(rest)
        for name, value in dates.items():
            if value:
                setattr(self, name, _moment(_text(value)))


class JsonQueue(Queue):
    """An RQ queue of JsonJobs."""

    job_class = JsonJob

    def __init__(self, name: str = "default", **kwargs: Any) -> None:  # noqa: ANN401 -- handed through to RQ
        if kwargs.get("serializer") is None:
            kwargs["serializer"] = JSONSerializer
        super().__init__(name, **kwargs)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
