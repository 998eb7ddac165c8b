"""Renders the templates: everything is escaped, and a name that a template misspells is an error."""

from __future__ import annotations

from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mastowatch import __version__
from mastowatch.jobs.context import View
from mastowatch.web.dashboard.shown import FILTERS, epoch
from mastowatch.web.dashboard.sparkline import HEIGHT, WIDTH

STATIC = Path(__file__).parent / "static"
REFRESH_S = 10


class Pages:
    """Makes pages; the clock and the address of the Mastodon server come from ``view``."""

    def __init__(self, view: View) -> None:
        self._clock = view.clock
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._templates.globals.update(
            version=__version__, mastodon=view.settings.instance_base, spark=(WIDTH, HEIGHT), refresh_s=REFRESH_S
        )

    def page(self, template: str, *, at: str, status: int = 200, **values: object) -> HTMLResponse:
        """Return the page ``template``; ``at`` names the entry of the menu it belongs to."""
        shown = self._templates.get_template(template).render(
            at=at, now=epoch(self._clock()), **{"refresh": None, **values}
        )
        return HTMLResponse(shown, status_code=status)

    def problem(self, status: int, title: str, detail: str, command: str = "") -> HTMLResponse:
        """Return a page that says what is wrong and what to do."""
        return self.page("problem.html", at="", status=status, title=title, detail=detail, command=command)
