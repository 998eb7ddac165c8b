"""The whole way, as its benchmark measures it: a webhook to the API, a job, a worker, and a report at the server."""

import sys

import pytest

from benchmarks import filing

pytestmark = [pytest.mark.redis]


def test_each_post_that_a_webhook_tells_of_leads_to_one_report(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks.filing", "--posts", "3", "--latency", "0"])
    filing.main()  # ends with an error unless every account has its report
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["0", "3"]
