"""What holds work back: dry run, panic stop, dropped rules, paused queues; who turned it, and what that does."""

from __future__ import annotations

from typing import Literal

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from mastowatch.jobs.audit_view import read_audit
from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.refusals import Unknown, WrongState
from mastowatch.jobs.switches import Switchboard, SwitchRow, read_switches
from mastowatch.ports.types import EVERY_RULE
from mastowatch.reliable.facts import queue_facts
from mastowatch.web.dashboard.access import Form, Role
from mastowatch.web.dashboard.pages.rules import judged_again
from mastowatch.web.dashboard.site import Site

HISTORY = 30
Name = Literal["dry-run", "panic-stop"]
Way = Literal["on", "off"]
QueueWay = Literal["pause", "resume"]
_SAID = {
    ("dry-run", "on"): "Dry run is on: reports are rehearsed, and nothing is filed.",
    ("dry-run", "off"): "Dry run is off: reports are filed.",
    ("panic-stop", "on"): "The panic stop is on: no job is taken.",
    ("panic-stop", "off"): "The panic stop is off: work goes on.",
}
_LABELS = {
    ("dry-run", "on"): "Turn dry run on",
    ("dry-run", "off"): "Turn dry run off",
    ("panic-stop", "on"): "Stop all work",
    ("panic-stop", "off"): "Let work go on",
}


def add(app: FastAPI, site: Site) -> None:
    """Add them."""
    view = site.view

    @app.get("/switches", response_class=HTMLResponse)
    def switches(request: Request) -> HTMLResponse:
        """Show how everything stands."""
        board = read_switches(view)
        paused = {one.queue for one in board.paused_queues}
        return site.page(
            request,
            "switches.html",
            at="/switches",
            live=True,
            board=board,
            queues=[one for one in all_queues(view.redis) if one not in paused],
            history=read_audit(view, limit=HISTORY, by="*"),
            held=sum(one.held for one in board.dropped),
        )

    _add_switches(app, site)
    _add_reporting(app, site)
    _add_queues(app, site)


def _add_switches(app: FastAPI, site: Site) -> None:
    view = site.view

    @app.get("/switches/{name}/{way}", response_class=HTMLResponse)
    def ask(request: Request, name: Name, way: Way) -> HTMLResponse:
        """Say what it will do."""
        board = read_switches(view)
        return site.page(
            request,
            "ask.html",
            at="/switches",
            what=f"{name}-{way}",
            switch=_switch(board, name),
            waiting=_waiting(site),
            needs=_needs(way),
            path=f"/switches/{name}/{way}",
            back="/switches",
            button=_LABELS[name, way],
        )

    # Turning one on only makes safer, so that fewer rights are enough for it.
    @app.post("/switches/{name}/on")
    def turn_on(
        request: Request,
        name: Name,
        form: Form = Depends(site.changing("act")),  # noqa: B008 -- FastAPI's way
    ) -> Response:
        """Turn it on."""
        del form
        return _turn(site, request, name, on=True)

    @app.post("/switches/{name}/off")
    def turn_off(
        request: Request,
        name: Name,
        form: Form = Depends(site.changing("switch")),  # noqa: B008 -- FastAPI's way
    ) -> Response:
        """Turn it off."""
        del form
        return _turn(site, request, name, on=False)


def _needs(way: Way) -> Role:
    return "act" if way == "on" else "switch"


def _switch(board: Switchboard, name: Name) -> SwitchRow:
    return board.dry_run if name == "dry-run" else board.panic_stop


def _turn(site: Site, request: Request, name: Name, *, on: bool) -> Response:
    actions = site.actions(request)
    turn = actions.set_dry_run if name == "dry-run" else actions.set_panic_stop
    turn(on=on)
    said = _SAID[name, "on" if on else "off"]
    if not on and _switch(read_switches(site.view), name).from_settings:
        setting = "DRY_RUN" if name == "dry-run" else "PANIC_STOP"
        said = f"The switch is off, but the settings keep it on: {setting}=true."
    return site.done(request, "/switches", said)


def _waiting(site: Site) -> int:
    view = site.view
    return sum(one.depth for one in queue_facts(view.redis, all_queues(view.redis), view.clock()))


def _add_reporting(app: FastAPI, site: Site) -> None:
    view = site.view

    @app.get("/switches/reporting", response_class=HTMLResponse)
    def ask(request: Request) -> HTMLResponse:
        """Say what ending the pause of all reporting does."""
        paused = view.rule_switches.paused()
        if paused is None:
            raise WrongState("reporting is not paused")
        held = len(view.held.waiting(EVERY_RULE))
        return site.page(
            request, "ask.html", at="/switches", what="reporting", dropped=paused, held=held, needs="switch",
            path="/switches/reporting", back="/switches", button="Let reports go out again",
        )  # fmt: skip

    @app.post("/switches/reporting")
    def resume(
        request: Request,
        form: Form = Depends(site.changing("switch")),  # noqa: B008 -- FastAPI's way
    ) -> Response:
        """End the pause."""
        del form
        if view.rule_switches.paused() is None:
            raise WrongState("reporting is not paused")
        armed = site.actions(request).arm(EVERY_RULE)
        return site.done(request, "/switches", f"Reports go out again. {judged_again(armed.queued)}")


def _add_queues(app: FastAPI, site: Site) -> None:
    view = site.view

    @app.get("/switches/queues/{queue}/{way}", response_class=HTMLResponse)
    def ask(request: Request, queue: str, way: QueueWay) -> HTMLResponse:
        """Say what it will do."""
        queues = all_queues(view.redis)
        if queue not in queues:
            raise Unknown(f"there is no queue {queue!r}; there are: {', '.join(queues)}")
        facts = queue_facts(view.redis, [queue], view.clock())[0]
        return site.page(
            request, "ask.html", at="/switches", what=f"queue-{way}", queue=facts, needs="switch",
            path=f"/switches/queues/{queue}/{way}", back="/switches", button=f"{way.capitalize()} {queue}",
        )  # fmt: skip

    @app.post("/switches/queues/{queue}/{way}")
    def turn(
        request: Request,
        queue: str,
        way: QueueWay,
        form: Form = Depends(site.changing("switch")),  # noqa: B008 -- FastAPI's way
    ) -> Response:
        """Pause or resume it."""
        del form
        actions = site.actions(request)
        if way == "pause":
            actions.pause_queue(queue)
            return site.done(request, "/switches", f"The queue {queue} is paused.")
        actions.resume_queue(queue)
        return site.done(request, "/switches", f"Jobs of the queue {queue} are taken again.")
