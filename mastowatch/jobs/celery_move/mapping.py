"""Tells what one of Celery's tasks is here: a job, a run that the schedule sees to by itself, or nothing we know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mastowatch.jobs.celery_move.messages import Task
from mastowatch.jobs.queues import TASKS, is_id

# Names that the Celery version had for what goes by another name here.
RENAMED: Mapping[str, str] = {
    "process_new_report": "annotate_report",
    "process_report": "annotate_report",
    "analyze_account": "analyze_and_maybe_report",
    "process_status": "process_new_status",
    "queue_stats": "record_queue_stats",
    "record_queue_statistics": "record_queue_stats",
}
# Where an argument that was a whole object holds the id that a job carries.
_INSIDE: Mapping[str, tuple[str, ...]] = {
    "account_id": ("account_id", "account", "target_account", "object", "id"),
    "status_id": ("status_id", "status", "object", "id"),
    "report_id": ("report_id", "report", "object", "id"),
}
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Work:
    """A job of ours: the task's name and its arguments, ids all of them."""

    task: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recurs:
    """A run of something that recurs: the schedule brings the next one by itself."""

    task: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """Nothing we know."""

    why: str


def translate(task: Task, names: Mapping[str, str]) -> Work | Recurs | Foreign:
    """Return what ``task`` is here; ``names`` are an admin's own translations, whole names of Celery's to ours."""
    here = ours(task.name, names)
    if here not in TASKS:
        return Foreign(f"there is no task {here!r} here")
    spec = TASKS[here]
    if not spec.arguments:
        return Recurs(here)
    if len(spec.arguments) != 1 or spec.arguments[0] not in _INSIDE:
        return Foreign(f"{here} can't be made of a message")
    argument = spec.arguments[0]
    told = (_id_in(one, _INSIDE[argument]) for one in _arguments(task, argument))
    found = next((one for one in told if one), None)
    return Work(here, {argument: found}) if found else Foreign(f"no {argument} is in its arguments")


def ours(name: str, names: Mapping[str, str]) -> str:
    """Return what a task of Celery's would be called here; ``names`` as above."""
    if name in names:
        return names[name]
    last = name.rpartition(".")[2]
    return RENAMED.get(last, last)


def _arguments(task: Task, name: str) -> Iterator[object]:
    """Yield what may be the argument, or hold it, the likeliest first.

    A number among several arguments with names may be that of tries, or of seconds, and is nobody's id.
    """
    if name in task.kwargs or task.args:
        yield task.kwargs.get(name, next(iter(task.args), None))
        return
    yield task.kwargs
    yield from (one for one in task.kwargs.values() if isinstance(one, dict) or len(task.kwargs) == 1)


def _id_in(value: object, path: tuple[str, ...], depth: int = 0) -> str | None:
    """Return the id that ``value`` is or holds. All else in it, names and addresses of people, is left behind."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value) if is_id(str(value)) else None
    if isinstance(value, dict) and depth < _DEEPEST:
        return next((found for key in path if key in value if (found := _id_in(value[key], path, depth + 1))), None)
    return None
