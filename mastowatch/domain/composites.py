"""Rules that look at other rules: ``requires`` (all of them hit) and ``any_of`` (some of them)."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

from mastowatch.domain.rule import Rule
from mastowatch.errors import RuleError


def met(rule: Rule, hits: Collection[str]) -> bool:
    """Tell whether the other rules that it asks for are among ``hits``."""
    if not all(one in hits for one in rule.requires):
        return False
    return not rule.any_of or sum(one in hits for one in rule.any_of) >= rule.any_of_min


def in_order(rules: Sequence[Rule]) -> list[Rule]:
    """Return the composites among ``rules``, each after those that it looks at."""
    by_id = {rule.id: rule for rule in rules}
    ordered: dict[str, Rule] = {}
    # Without recursion: a chain may be as long as there are rules.
    for first in rules:
        path = [first] if first.parts else []
        while path:
            missing = [by_id[one] for one in path[-1].parts if one in by_id and by_id[one].parts and one not in ordered]
            fresh = [one for one in missing if one not in path]
            if fresh:
                path.append(fresh[0])
            else:
                rule = path.pop()
                ordered[rule.id] = rule
    return list(ordered.values())


def with_parts(rule: Rule, by_id: Mapping[str, Rule]) -> list[Rule]:
    """Return the rule, and after it all that it looks at, and they, as far as ``by_id`` has them; each once."""
    found, waiting = {rule.id: rule}, [rule]
    while waiting:
        fresh = [by_id[one] for one in waiting.pop().parts if one in by_id and one not in found]
        found.update((one.id, one) for one in fresh)
        waiting += fresh
    return list(found.values())


def independent_of(rules: Sequence[Rule], broken: Collection[str]) -> list[Rule]:
    """Return the rules that don't look at one of the ids ``broken``, not even by way of others."""
    gone, left = set(broken), list(rules)
    while leaving := [rule for rule in left if gone.intersection(rule.parts)]:
        gone.update(rule.id for rule in leaving)
        left = [rule for rule in left if rule not in leaving]
    return left


def faults(rules: Sequence[Rule]) -> list[RuleError]:
    """Return what is wrong with how ``rules`` refer to each other."""
    by_id = {rule.id: rule for rule in rules}
    found = [fault for rule in rules if rule.mode != "off" for fault in _wrong_parts(rule, by_id)]
    return found + _circles(rules, by_id)


def _wrong_parts(rule: Rule, by_id: dict[str, Rule]) -> Iterator[RuleError]:
    for key, ids in (("requires", rule.requires), ("any_of", rule.any_of)):
        for one in ids:
            problem = _wrong(rule, key, one, by_id)
            if problem:
                yield RuleError(rule.file, key, *problem)


def _wrong(rule: Rule, key: str, wanted: str, by_id: dict[str, Rule]) -> tuple[str, str] | None:
    if wanted not in by_id:
        close = difflib.get_close_matches(wanted, by_id, n=1)
        return f"there is no rule {wanted!r}", f"did you mean {close[0]}?" if close else "name the id of another rule"
    other = by_id[wanted]
    if other.mode == "off":
        return f"{wanted!r} is off and never hits", f'set mode = "shadow" in {other.file}, or take it out here'
    if key == "requires" and rule.mode == "report" and other.mode == "shadow":
        problem = f"{wanted!r} is in shadow, which this rule does not see, so that it can never hit"
        return problem, f'set mode = "shadow" here too, or mode = "report" in {other.file}'
    return None


def _circles(rules: Sequence[Rule], by_id: dict[str, Rule]) -> list[RuleError]:
    """Return an error for each rule that, by way of others, looks at itself."""
    found = []
    for rule in rules:
        way = _way_back(rule, by_id)
        if way:
            key = "requires" if way[1] in rule.requires else "any_of"
            problem = f"goes round in a circle: {' -> '.join(way)}"
            found.append(RuleError(rule.file, key, problem, "a rule can't wait for itself; take one of them out"))
    return found


def _way_back(rule: Rule, by_id: dict[str, Rule]) -> list[str]:
    """Return the shortest way from a rule by its parts back to it, or []."""
    came_from: dict[str, str] = {}
    edge = [rule.id]
    while edge:
        following = []
        for here in edge:
            for part in by_id[here].parts:
                if part == rule.id:
                    return _steps(rule.id, here, came_from)
                if part in by_id and part not in came_from:
                    came_from[part] = here
                    following.append(part)
        edge = following
    return []


def _steps(start: str, last: str, came_from: dict[str, str]) -> list[str]:
    way = [start]
    while last != start:
        way.append(last)
        last = came_from[last]
    return [start, *reversed(way)]
