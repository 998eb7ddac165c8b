"""What is wrong with a Redis that does not do what it is asked: in a word, in a sentence, and what mends it.

A Redis that is full, or a replica, answers: to call it away sends an admin to look at the wrong thing.
"""

from __future__ import annotations

from dataclasses import dataclass

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from mastowatch.errors import LayoutUnready


@dataclass(frozen=True, slots=True)
class Trouble:
    """``word`` fits behind "Redis" in a status, ``title`` is a headline, ``says`` a sentence that names what follows.

    ``mend`` is a command that shows more, or mends it.
    """

    word: str
    title: str
    says: str
    mend: str


AWAY = Trouble(
    "away",
    "Redis is away",
    "Redis does not answer; nothing can be read or queued until it does",
    "systemctl status redis-server",
)
FULL = Trouble(
    "full",
    "Redis is full",
    "Redis has used up its maxmemory and takes nothing more; nothing can be queued or changed until it has room",
    "redis-cli INFO memory",
)
READ_ONLY = Trouble(
    "read-only",
    "Redis is read-only",
    "Redis is a replica, which takes no changes; REDIS_URL must lead to the primary",
    "redis-cli ROLE",
)
NOT_SAVING = Trouble(
    "not saving",
    "Redis can't save",
    "Redis could not write its data to its disk and takes no changes until it can; is the disk full?",
    "journalctl -u redis-server -n 20; df -h /var/lib/redis",
)
WITHOUT_REPLICAS = Trouble(
    "without its replicas",
    "Redis is without its replicas",
    "Redis has fewer replicas than min-replicas-to-write asks for, and takes no changes until they are back",
    "redis-cli INFO replication",
)
WITHOUT_PRIMARY = Trouble(
    "without its primary",
    "Redis is without its primary",
    "Redis is a replica that has lost its primary, and answers nothing; REDIS_URL must lead to the primary",
    "redis-cli INFO replication",
)
LOADING = Trouble(
    "loading its data",
    "Redis is loading its data",
    "Redis has been started and reads its data from its disk; it answers when it has",
    "redis-cli INFO persistence",
)
BUSY = Trouble(
    "busy with a script",
    "Redis is busy",
    "Redis has been running one script for seconds and answers nothing else until it ends",
    "redis-cli INFO commandstats",
)
NO_ROOM = Trouble(
    "has no connection left",
    "Redis has no connection left",
    "Redis has as many clients as its maxclients allows; nothing can be read or queued until some leave",
    "redis-cli CLIENT LIST",
)
CLOSED = Trouble(
    "asks for another password",
    "Redis asks for another password",
    "Redis takes another user or password than it is given (REDIS_PASSWORD_FILE, or the credential redis_password)",
    "redis-cli ACL LOG 5",
)
NOT_ALLOWED = Trouble(
    "allows too little",
    "Redis allows too little",
    "Redis lets our user not run a command that is needed; its ACL must allow what docs/reference/redis.md lists",
    "redis-cli ACL LOG 5",
)
OTHER_LAYOUT = Trouble(
    "keys are not of our layout yet",
    "Redis' keys are not of our layout yet",
    "The keys in Redis are of an older layout, or being brought to this one; nothing is touched until they are",
    "journalctl -u 'mastowatch-*' -n 20",
)
REFUSING = Trouble(
    "refuses commands",
    "Redis refuses commands",
    "Redis answers, but refuses what it is asked; its answer is in MastoWatch's journal",
    "journalctl -u 'mastowatch-*' -p err -n 20",
)

# redis-py has errors of its own for some answers, and cuts off the word that they begin with.
_BY_KIND: tuple[tuple[type[RedisError], Trouble], ...] = (
    (OutOfMemoryError, FULL),
    (ReadOnlyError, READ_ONLY),
    (MasterDownError, WITHOUT_PRIMARY),
    (NoPermissionError, NOT_ALLOWED),
    (AuthenticationError, CLOSED),
    (BusyLoadingError, LOADING),
)
_BY_WORD = {
    "OOM": FULL,
    "READONLY": READ_ONLY,
    "MISCONF": NOT_SAVING,
    "NOREPLICAS": WITHOUT_REPLICAS,
    "MASTERDOWN": WITHOUT_PRIMARY,
    "BUSY": BUSY,
    "NOPERM": NOT_ALLOWED,
}


def trouble(error: BaseException) -> Trouble:
    """Return what ``error`` says of Redis: one of its own, or one of ours that has it as its cause."""
    if isinstance(error, LayoutUnready):
        return OTHER_LAYOUT
    own = error if isinstance(error, RedisError) else error.__cause__
    for kind, found in _BY_KIND:
        if isinstance(own, kind):
            return found
    if isinstance(own, ResponseError):
        return _of_answer(str(own))
    return NO_ROOM if "max number of clients" in str(own) else AWAY


def _of_answer(told: str) -> Trouble:
    # In a pipeline redis-py puts before it which command it was.
    answer = told.rpartition("of pipeline caused error: ")[2]
    first = answer.partition(" ")[0]
    # Redis 6 has the word of a command that a script was refused in the middle of its answer, behind a "-".
    within = (found for word, found in _BY_WORD.items() if f"-{word} " in answer)
    return _BY_WORD.get(first) or next(within, REFUSING)
