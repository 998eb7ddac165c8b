"""schemathesis asks the real app, over a real Redis, all that its description allows and much that it doesn't."""

from __future__ import annotations

import itertools
import re
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st
from redis import Redis
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from mastowatch.jobs import places
from mastowatch.web import idempotency, live
from tests.api_server import KEY, served
from tests.api_world import seed, view_of

pytestmark = [pytest.mark.redis, pytest.mark.unmeasured]

ACCEPTED = ["2xx", "3xx", "401", "403", "404", "409", "429", "5xx"]
CONFIG: dict[str, Any] = {
    "seed": 1,
    "headers": {"X-API-Key": KEY},
    "generation": {"max-examples": 5, "deterministic": True, "database": "none"},
    "operations": [
        {
            # That a bulk without any filter needs `all=true` can't be said in OpenAPI; it is refused with 422.
            "include-operation-id": "bulk",
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ACCEPTED, "422"]}},
        }
    ],
}
PHASES = ("examples", "coverage", "fuzzing", "stateful")
A_PLACE = "a-place"
OF_CASES, OF_AUDIT = places.encode("case", "1.5:1"), places.encode("audit", "1-0")
_keys = itertools.count()


def is_of_another_list(cursor: object) -> bool:
    """Tell whether it is a cursor that schemathesis may have from another list, or from the same with other filters."""
    try:
        plain = urlsafe_b64decode(f"{cursor}===").decode()
    except ValueError:
        plain = ""
    return cursor == A_PLACE or (":" in plain and cursor not in (OF_CASES, OF_AUDIT))


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tell schemathesis what no schema can say, for the length of a test."""
    # A cursor is a place that a page before has named; one of jobs holds for the filters of that page alone.
    schemathesis.openapi.format("job-cursor", st.just(A_PLACE))
    schemathesis.openapi.format("case-cursor", st.just(OF_CASES))
    schemathesis.openapi.format("audit-cursor", st.just(OF_AUDIT))

    # A key is used once; that it is refused with another body is what it is for.
    @schemathesis.hook
    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        if is_of_another_list((case.query or {}).get("cursor")):
            del case.query["cursor"]
        # One moment may not be after the other.
        if {"since", "until"} <= set(case.query or {}):
            del case.query["until"]
        given = str((case.headers or {}).get(idempotency.HEADER, ""))
        if re.fullmatch(idempotency.FORM, given):
            case.headers[idempotency.HEADER] = f"key-{next(_keys)}"

    # Its client waits for the end of an answer, and a stream has none.
    monkeypatch.setattr(live, "LIVES_S", 0.05)
    yield
    schemathesis.hooks.unregister_all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_finds_nothing_with_all_its_checks(hooks, redis: Redis):
    view = view_of(redis)
    seed(view)
    counted: Counter[str] = Counter()
    phases: dict[str, Any] = {}
    found: list[str] = []
    with served(view) as url:
        config = SchemathesisConfig.from_dict(CONFIG)
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config, headers={"X-API-Key": KEY})
        for event in from_schema(schema).execute():
            if isinstance(event, (events.NonFatalError, events.FatalError)):
                found.append(repr(event))
            if isinstance(event, events.PhaseFinished):
                phases[event.phase.name] = event.status
            if isinstance(event, events.ScenarioFinished):
                for check in itertools.chain.from_iterable(event.recorder.checks.values()):
                    counted[check.name] += 1
                    if check.failure_info is not None:
                        asked = check.failure_info.code_sample
                        found.append(f"{event.recorder.label}: {check.failure_info.failure}\n{asked}")
    assert not found, "\n\n".join(found[:5])
    assert {name: phases[name] for name in PHASES} == dict.fromkeys(PHASES, Status.SUCCESS)
    assert set(CHECKS.get_all_names()) - {"max_response_time"} <= set(counted), "every check has run"
    assert min(counted.values()) > 1000
