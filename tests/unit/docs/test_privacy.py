"""What the page on privacy promises about how long things are kept is what settings and code say."""

import re
from pathlib import Path

from mastowatch.adapters import redis_audit, redis_rule_stats, redis_store
from mastowatch.config import Settings

PAGE = (Path(__file__).parents[3] / "docs/explanation/privacy.md").read_text()


def test_bounds_are_those_of_the_code():
    assert f"the newest {redis_store.CASES_MAX:,}" in PAGE
    assert f"the newest {redis_audit.ENTRIES_MAX:,} entries" in PAGE
    assert f"{redis_store.JUDGED_TTL_S // 86_400} days" in PAGE
    assert f"{redis_store.CLAIM_TTL_S // 86_400} days after the last change" in PAGE
    assert f"outcome {redis_rule_stats.REPORT_TTL_S // 86_400} days" in PAGE
    assert f"`RECENT_POSTS_DAYS` ({Settings().recent_posts_days} days)" in PAGE


def test_settings_that_it_names_are_settings():
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PAGE))
    assert named <= {name for name, *_ in Settings.table()}
    assert len(named) > 5
