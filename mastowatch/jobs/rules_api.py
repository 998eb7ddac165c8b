"""The /rules API: shows the rules and what they have done, and tries the files before the workers take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from mastowatch.errors import RuleError, RuleErrors
from mastowatch.jobs.context import View, load_rules
from mastowatch.jobs.described import told
from mastowatch.jobs.refusals import Refusal, Unknown
from mastowatch.jobs.rules_view import FAULTS_MAX, RuleRow, RuleRows, list_rules
from mastowatch.jobs.workforce import read_workers

_DIGEST = "3f0c6d1be2a4"
_ROW = {
    "id": "casino-words",
    "name": "Casino advertising",
    "description": "Words of casino advertising in a post with a link.",
    "file": "casino-words.toml",
    "mode": "report",
    "state": "report",
    "weight": 5.0,
    "category": "spam",
    "action": "report",
    "hits": 214,
    "shadow_hits": 12,
    "reports": 180,
    "kept": 171,
    "rejected": 4,
    "precision": 0.977,
    "last_hit_at": "2026-03-01T11:40:12Z",
    "dropped": None,
}
_ROWS = {
    "rules": [_ROW],
    "faults": [],
    "digest": _DIGEST,
    "in_force": {"mod-1-4711-3f2a9c": _DIGEST},
    "paused": None,
    "open_reports": 3,
    "recent_accounts": 4120,
    "recent_posts": 21877,
}


class BadRules(Refusal):
    """The rule files have faults, each of which is named."""

    status, title = 422, "Bad rules"

    def __init__(self, faults: Sequence[RuleError]) -> None:
        self.faults = faults
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        super().__init__(f"{faults[0]}{more}; the rules from before stay in force")

    @property
    def members(self) -> Mapping[str, object]:
        """All faults, with file and key."""
        keys = ("file", "key", "problem", "hint")
        return {"faults": [{key: getattr(one, key) for key in keys} for one in self.faults[:FAULTS_MAX]]}


class Reloaded(BaseModel):
    """Rules that may come into force."""

    rules: int = Field(description="How many are not off.")
    digest: str = Field(description="Changes with any rule or list.")
    in_force: dict[str, str] = Field(
        description="The digest that each worker has now; one that differs takes these rules within 3 seconds."
    )


def router(view: View) -> APIRouter:
    """Return the routes under /rules; /rules/dropped has to be added before them, as /rules/{rule_id} is among them."""
    routes = APIRouter(prefix="/rules", tags=["rules"])

    @routes.get("", **told("List the rules", "list_rules", _ROWS))
    def rules() -> RuleRows:
        """List every rule with its mode, weight, description and what it has done, those that hit most first.

        They stand so in the rule files; `in_force` says what each worker has. Hits are different accounts.
        """
        return list_rules(view)

    @routes.post(
        "/reload",
        **told("Try the rule files", "reload_rules", {"rules": 24, "digest": _DIGEST, "in_force": {"w1": _DIGEST}}),
    )
    def reload() -> Reloaded:
        """Read the rule files and run their examples. Workers on this machine take what is good by themselves.

        422: `faults` lists every `file`, `key`, `problem` and `hint`; the rules from before stay in force.
        """
        try:
            rules = load_rules(view.settings.rules_dir)
        except RuleErrors as error:
            raise BadRules(error.faults) from error
        return Reloaded(
            rules=len(rules),
            digest=rules.digest,
            in_force={one.name: one.rules or "" for one in read_workers(view.redis)},
        )

    @routes.get(
        "/{rule_id}",
        **told("Show a rule", "get_rule", _ROW, problems={404: "there is no rule 'casino'; GET /rules lists them"}),
    )
    def rule(rule_id: Annotated[str, Path(description="The rule's id.", examples=["casino-words"])]) -> RuleRow:
        """Show one rule with what it has done."""
        for one in list_rules(view).rules:
            if one.id == rule_id:
                return one
        raise Unknown(f"there is no rule {rule_id!r}; GET /rules lists them")

    return routes
