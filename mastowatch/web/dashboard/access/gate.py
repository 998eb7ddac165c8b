"""The gate: who asks, and whether a change is theirs to make."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from starlette.datastructures import ImmutableMultiDict

from mastowatch.jobs.refusals import WrongState
from mastowatch.web.dashboard.access.person import Person, Role

# What a form has sent: ``form["name"]``, ``form.get("name", "")``, and ``form.getlist("id")`` for ticked boxes.
Form = ImmutableMultiDict[str, str]


class Access:
    """Lets everybody be ``person``, who reads only unless a test says otherwise."""

    def __init__(self, person: Person | None = None) -> None:
        self._person = person or Person("", "read")
        self._said = ""

    @property
    def set_up(self) -> bool:
        """Whether anybody can sign in."""
        return bool(self._person.name)

    def add(self, app: FastAPI) -> None:
        """Add the pages to sign in and out."""

    def person(self, request: Request) -> Person:
        """Return who asks."""
        del request
        return self._person

    def csrf(self, request: Request) -> str:
        """Return what each form of this person must carry in its field ``csrf``."""
        del request
        return "stub"

    async def change(self, request: Request, *, needs: Role) -> Form:
        """Return the form of a change that this person may make; raises a Refusal that says why not."""
        if not self.person(request).may(needs):
            raise WrongState("you may read only")
        return ImmutableMultiDict(parse_qsl((await request.body()).decode(), keep_blank_values=True))

    def say(self, request: Request, response: Response, text: str) -> None:
        """Have the next page of this person show ``text``, once."""
        del request, response
        self._said = text

    def said(self, request: Request) -> str:
        """Return what the page shall show, or "" for nothing."""
        del request
        return self._said

    def forget_said(self, request: Request, response: Response) -> None:
        """Take it from the session: it has been shown."""
        del request, response
        self._said = ""
