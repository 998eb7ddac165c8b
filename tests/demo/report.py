"""What the demo found, read back from the mock's reports, kind by kind: figures on made-up people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import requests

from tests.demo.population import TOKEN, Population

# The mock makes a page of reports slowly: each with two accounts and all posts.
_PAGE, _PAGE_TIME_S = 20, 120


@dataclass(frozen=True)
class Filed:
    """A report that stands at the mock."""

    account_id: str
    comment: str


@dataclass(frozen=True)
class Found:
    """How the reports compare with who was planted."""

    people: Population
    filed: Sequence[Filed]
    rule_names: Mapping[str, str]

    @property
    def times(self) -> Counter[str]:
        """How often each account was reported."""
        return Counter(one.account_id for one in self.filed)

    @property
    def missed(self) -> list[str]:
        """Planted accounts without a report."""
        return sorted(set(self.people.planted) - set(self.times))

    @property
    def false_alarms(self) -> list[str]:
        """Reported accounts that nobody planted."""
        return sorted(set(self.times) - set(self.people.planted))

    @property
    def twice(self) -> list[str]:
        """Accounts reported more than once."""
        return sorted(account_id for account_id, times in self.times.items() if times > 1)

    @property
    def by_others(self) -> list[str]:
        """Planted accounts that were reported, but not by the rule of their kind: its name isn't in the comment."""
        named = {one.account_id for one in self.filed if self._names_own_rule(one)}
        return sorted(set(self.people.planted) & set(self.times) - named)

    @property
    def right(self) -> bool:
        """Tell whether exactly the planted accounts were reported, each once and by the rule of its kind."""
        return not (self.missed or self.false_alarms or self.twice or self.by_others)

    def kinds(self) -> Iterator[str]:
        """Yield a line for each kind: how many were planted, reported, and found by its own rule."""
        numbers: dict[str, Counter[str]] = defaultdict(Counter)
        reported, others = set(self.times), set(self.by_others)
        for account_id, kind in self.people.planted.items():
            numbers[kind].update(
                planted=1, reported=account_id in reported, own=account_id in reported and account_id not in others
            )
        yield f"  {'kind of spam':<26} {'planted':>8} {'reported':>9} {'by its own rule':>16}"
        for kind, one in sorted(numbers.items()):
            yield f"  {kind:<26} {one['planted']:>8} {one['reported']:>9} {one['own']:>16}"

    def by_language(self) -> str:
        """Say how many of the planted accounts of each language were reported."""
        planted = Counter(self.people.languages[one] for one in self.people.planted)
        found = Counter(self.people.languages[one] for one in self.people.planted if one in self.times)
        return ", ".join(f"{language} {found[language]} of {number}" for language, number in sorted(planted.items()))

    def complaints(self) -> Iterator[str]:
        """Yield a line for each account that went wrong, the first twenty of each sort."""
        kinds = {**self.people.misses, **self.people.planted}
        wrong: Iterable[tuple[str, list[str]]] = (
            ("missed", self.missed),
            ("false alarm", self.false_alarms),
            ("reported twice", self.twice),
            ("found, but not by its own rule", self.by_others),
        )
        for label, ids in wrong:
            for account_id in ids[:20]:
                yield f"  {label}: {account_id} ({kinds.get(account_id, 'ordinary')})"

    def _names_own_rule(self, one: Filed) -> bool:
        return self.rule_names.get(self.people.planted.get(one.account_id, ""), "?") in one.comment


def read(server: str) -> list[Filed]:
    """Read all reports back from the mock's admin API."""
    found: list[Filed] = []
    max_id = None
    while True:
        query = {"limit": _PAGE, **({"max_id": max_id} if max_id else {})}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        page = requests.get(f"{server}/api/v1/admin/reports", params=query, headers=headers, timeout=_PAGE_TIME_S)
        reports = page.json()
        if not reports:
            return found
        found += [Filed(one["target_account"]["id"], one["comment"]) for one in reports]
        max_id = reports[-1]["id"]
