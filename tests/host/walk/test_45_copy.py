"""docs/howto/back-up-and-restore.md, its first half: the copies are old by the time they are needed."""

from __future__ import annotations


def test_a_copy_is_made_and_reporting_goes_on(suite, late):
    assert late <= set(suite.reports())
