from __future__ import annotations

import pytest
from redis import exceptions as redis_errors

from mastowatch.errors import LayoutUnready, StoreUnavailable
from mastowatch.redis_trouble import trouble

ANSWERS = {
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.": "not saving",
    "MISCONF Errors writing to the AOF file: No space left on device": "not saving",
    "NOREPLICAS Not enough good replicas to write.": "without its replicas",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.": "busy with a script",
    "Command # 1 (SET OOM READONLY) of pipeline caused error: MISCONF Errors writing to the AOF file: x": "not saving",
    "Command # 1 (SET -OOM 1) of pipeline caused error: WRONGTYPE of key": "refuses commands",
    # A script's, as Redis 6 tells it.
    "Error running script (call to f_0c): @user_script:1: @user_script: 1: -OOM command not allowed when used": "full",
    "Error running script (call to f_0c): @user_script:1: -READONLY You can't write against a replica": "read-only",
    "WRONGTYPE Operation against a key holding the wrong kind of value": "refuses commands",
}


@pytest.mark.parametrize(("answer", "word"), ANSWERS.items())
def test_an_answer_is_known_by_the_word_that_it_begins_with(answer, word):
    assert trouble(redis_errors.ResponseError(answer)).word == word


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (redis_errors.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "full"),
        (redis_errors.ReadOnlyError("You can't write against a read only replica."), "read-only"),
        (redis_errors.MasterDownError("Link with MASTER is down"), "without its primary"),
        (redis_errors.NoPermissionError("this user has no permissions to run 'eval'"), "allows too little"),
        (redis_errors.AuthenticationError("invalid username-password pair"), "asks for another password"),
        (redis_errors.BusyLoadingError("Redis is loading the dataset in memory"), "loading its data"),
        (redis_errors.ConnectionError("max number of clients reached"), "has no connection left"),
        (redis_errors.ConnectionError("Connection refused"), "away"),
        (redis_errors.TimeoutError("Timeout reading from socket"), "away"),
        (LayoutUnready("layout 1"), "keys are not of our layout yet"),
        (StoreUnavailable("5000 deliveries wait already"), "away"),
    ],
)
def test_an_error_is_known_by_its_kind(error, word):
    assert trouble(error).word == word


def test_an_error_of_ours_is_known_by_its_cause():
    error = StoreUnavailable("Redis: ReadOnlyError")
    error.__cause__ = redis_errors.ReadOnlyError("You can't write against a read only replica.")
    assert trouble(error).word == "read-only"
