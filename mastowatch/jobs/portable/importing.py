"""Merges an export into what is here. Nothing is written before all of it was checked; a second time changes nothing.

What is here and newer stays. What was filed there counts as filed here, so nothing is filed twice.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from redis import Redis

from mastowatch.config import Settings
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import RuleError, RuleErrors
from mastowatch.jobs import context as contexts
from mastowatch.jobs.portable.checking import Checked, check, records
from mastowatch.jobs.portable.records import OF_ANY_SERVER, AuditLine, RuleFileLine, RuleListLine, document
from mastowatch.jobs.refusals import BadParameter, WrongState
from mastowatch.ports.types import AuditEntry

_LOCK_S = 120.0
_RENEW_EVERY = 1000  # records
# Rule files and lists are held in memory to be tried together.
RULES_BYTES_MAX = 64 * 1024 * 1024

# What came of the records, by kind, then by what was done.
Done = defaultdict[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class Given:
    """The file, what it is called, and how to take it over."""

    file: BinaryIO
    name: str
    overwrite: bool = False
    dry_run: bool = False


def import_(redis: Redis, settings: Settings, given: Given, now: float) -> tuple[Checked, Done]:
    """Check the file, then merge it; raises BadParameter, WrongState or StoreUnavailable. ``now``: epoch seconds.

    Where it ends in the middle, call it again: what is merged already is left as it is.
    """
    checked = check(given.file, given.name, now)
    is_ours = _is_ours(checked, settings, given.name)
    files = _rule_files(given)
    plans = _planned(settings.rules_dir, files, overwrite=given.overwrite)
    _try_rules(settings.rules_dir, files, plans, given)
    owner, locks = uuid.uuid4().hex, contexts.locks(redis)

    def alive() -> None:
        if not given.dry_run:
            locks.acquire(contexts.IMPORT_LOCK, owner, _LOCK_S)

    if not given.dry_run and not locks.acquire(contexts.IMPORT_LOCK, owner, _LOCK_S):
        raise WrongState(
            "another import is under way, or an account is being erased; wait until it has ended, or two minutes"
            " if it was killed"
        )
    try:
        done = _merge(redis, given, checked, now, alive) if is_ours else _foreign(checked)
    finally:
        if not given.dry_run:
            locks.release(contexts.IMPORT_LOCK, owner)
    for name, plan in plans.items():
        kind = "rule_list" if name.startswith("lists/") else "rule_file"
        if plan in ("added", "updated") and not given.dry_run:
            _write(settings.rules_dir, name, files[name])
        done[kind][plan] += 1
    return checked, done


def _write(directory: Path, name: str, text: str) -> None:
    try:
        contexts.write_rule_source(directory, name, text)
    except OSError as error:
        told = f"{directory / name}: can't be written ({error.strerror})"
        raise WrongState(f"{told}; mend that and run the same command again for what is left") from error


def _is_ours(checked: Checked, settings: Settings, name: str) -> bool:
    """Tell whether the file is about this server; rules are taken over from any. Raises BadParameter."""
    if checked.header.layout > contexts.known_layout():
        raise BadParameter(f"{name}: was written by a newer version ({checked.header.mastowatch}); install that first")
    theirs, ours = checked.header.instance, settings.instance_base
    if theirs == ours:
        return True
    if any(part != "rules" for part in checked.header.what):
        told = f"is about {theirs or 'a server without a name'}, and INSTANCE_BASE here is {ours or 'not set'}"
        raise BadParameter(
            f"{name}: {told}: its ids mean others here; only `mastowatch export rules` is for any server"
        )
    return False


def _foreign(checked: Checked) -> Done:
    """Leave out what is about another server."""
    of_there = {kind: Counter(foreign=number) for kind, number in checked.counts.items() if kind not in OF_ANY_SERVER}
    return defaultdict(Counter, of_there)


def _merge(redis: Redis, given: Given, checked: Checked, now: float, alive: Callable[[], None]) -> Done:
    done = defaultdict[str, Counter[str]](Counter)
    portable = contexts.portable(redis)
    number = 0
    for record in records(given.file, given.name):
        kind = str(getattr(record, "kind", ""))
        if portable.knows(kind):
            number += 1
            if number % _RENEW_EVERY == 0:
                alive()
            done[kind][portable.merge(kind, document(record), now, tell=given.dry_run)] += 1
    entries = checked.counts.get("audit", 0)
    if entries:
        audit = contexts.audit_merging(redis)
        done["audit"] = audit.merge(_Audit(given), entries, tell=given.dry_run, alive=alive)
    return done


@dataclass(frozen=True, slots=True)
class _Audit:
    """The entries of the audit in a file, each after its place; read anew each time they are gone through."""

    given: Given

    def __iter__(self) -> Iterator[tuple[str, AuditEntry]]:
        for one in records(self.given.file, self.given.name):
            if isinstance(one, AuditLine):
                fields = document(one)
                yield fields.pop("place"), AuditEntry(**fields)


# --- rule files ---


def _rule_files(given: Given) -> dict[str, str]:
    """Return the rule files and lists by their names below RULES_DIR."""
    found, size = dict[str, str](), 0
    for one in records(given.file, given.name):
        if isinstance(one, (RuleFileLine, RuleListLine)):
            found[one.name if isinstance(one, RuleFileLine) else f"lists/{one.name}"] = one.text
            size += len(one.text)
        if size > RULES_BYTES_MAX:
            raise BadParameter(f"{given.name}: its rule files are larger than {RULES_BYTES_MAX} bytes together")
    return found


def _planned(directory: Path, files: Mapping[str, str], *, overwrite: bool) -> dict[str, str]:
    """Return what becomes of each file: "added", "same", "updated", or "kept" where another one is here."""
    if not files:
        return {}
    try:
        here = dict(contexts.rule_sources(directory))
    except RuleError as error:
        raise BadParameter(f"RULES_DIR {directory}: {error}; nothing was imported") from error
    other = "updated" if overwrite else "kept"
    return {
        name: "added" if name not in here else "same" if here[name] == text else other for name, text in files.items()
    }


def _try_rules(directory: Path, files: Mapping[str, str], plans: Mapping[str, str], given: Given) -> None:
    """Raise BadParameter unless the rules that would be there can come into force, and may be written."""
    writes = [name for name, plan in plans.items() if plan in ("added", "updated")]
    if not writes:
        return
    if not given.dry_run and not os.access(directory, os.W_OK):
        raise BadParameter(f"RULES_DIR {directory}: can't be written; run this command with sudo")
    documents, lists, unread = contexts.read_rule_documents(directory)
    merged, words = dict(documents), dict(lists)
    try:
        for name in writes:
            if name.startswith("lists/"):
                words[name.removeprefix("lists/")] = tuple(files[name].splitlines())
            else:
                merged[name] = contexts.parse_rule(name, files[name])
        RuleSet.load(sorted(merged.items()), words, [one for one in unread if one.file not in writes])
    except (RuleError, RuleErrors) as error:
        raise BadParameter(
            f"{given.name}: with its files the rules can't be used: {error}; nothing was imported"
        ) from error
