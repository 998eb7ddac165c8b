"""JSON only: a pickle in a shared Redis is code execution, so nothing here can read one."""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer


class JsonJob(Job):
    """An RQ job whose arguments and results are JSON.

    rq-scheduler takes no serializer argument, so the default lives in the class. Pickled data fails to load
    with rq.exceptions.DeserializationError and is never unpickled.
    """

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: A002, ANN401 -- RQ's own signature
        super().__init__(id=id, connection=connection, serializer=serializer or JSONSerializer)


class JsonQueue(Queue):
    """An RQ queue of JsonJobs."""

    job_class = JsonJob

    def __init__(self, name: str = "default", **kwargs: Any) -> None:  # noqa: ANN401 -- handed through to RQ
        if kwargs.get("serializer") is None:
            kwargs["serializer"] = JSONSerializer
        super().__init__(name, **kwargs)
