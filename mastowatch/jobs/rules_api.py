"""The /rules API: tries the rule files before the workers take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mastowatch.errors import RuleError, RuleErrors
from mastowatch.jobs.context import View, load_rules
from mastowatch.jobs.refusals import Refusal
from mastowatch.jobs.workforce import read_workers

FAULTS_MAX = 100


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
    """Return the routes under /rules."""
    routes = APIRouter(prefix="/rules", tags=["rules"])

    @routes.post("/reload")
    def reload() -> Reloaded:
        """Read the rule files and run their examples. Workers on this machine take what is good by themselves."""
        try:
            rules = load_rules(view.settings.rules_dir)
        except RuleErrors as error:
            raise BadRules(error.faults) from error
        return Reloaded(
            rules=len(rules),
            digest=rules.digest,
            in_force={one.name: one.rules or "" for one in read_workers(view.redis)},
        )

    return routes
