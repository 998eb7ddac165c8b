from mastowatch.cli import names
from mastowatch.config import Settings
from mastowatch.config.settings import QUEUES
from mastowatch.jobs.audit_view import EVENTS
from mastowatch.jobs.bulk import DONE
from mastowatch.jobs.cases_view import OUTCOMES
from mastowatch.jobs.listing import STATUSES
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.scheduler import recurring_jobs


def test_the_names_on_the_command_line_are_those_of_the_code():
    assert names.QUEUES == QUEUES
    assert names.STATUSES == STATUSES
    assert set(names.TASKS) == set(TASKS)
    assert set(names.RECURRING) == {one.id for one in recurring_jobs(Settings())}
    assert set(names.BULK) == set(DONE)
    assert names.OUTCOMES == OUTCOMES
    assert names.AUDIT_EVENTS == EVENTS
