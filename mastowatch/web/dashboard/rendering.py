"""Renders the templates: everything is escaped, and a name that a template misspells is an error."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mastowatch import __version__
from mastowatch.jobs.context import View
from mastowatch.web.dashboard.charts import CHART_HEIGHT, CHART_WIDTH, HEIGHT, WIDTH
from mastowatch.web.dashboard.shown import FILTERS, epoch

STATIC = Path(__file__).parent / "static"
# Without a script, a live page is loaded anew this often.
REFRESH_S = 10
# The menu: path and name, in the order of how often they are wanted.
MENU = (
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/failures", "Failures"),
    ("/queues", "Queues"),
    ("/recurring", "Recurring"),
    ("/workers", "Workers"),
    ("/cases", "Cases"),
    ("/rules", "Rules"),
    ("/audit", "Audit"),
    ("/switches", "Switches"),
)


class Pages:
    """Makes pages; the clock and the address of the Mastodon server come from ``view``."""

    def __init__(self, view: View, base: str = "") -> None:
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
            version=__version__,
            mastodon=view.settings.instance_base,
            base=base,
            menu=MENU,
            spark=(WIDTH, HEIGHT),
            chart_box=(CHART_WIDTH, CHART_HEIGHT),
            refresh_s=REFRESH_S,
        )

    def render(self, template: str, **values: object) -> str:
        """Return the page ``template`` as HTML."""
        return self._templates.get_template(template).render(now=epoch(self._clock()), **values)
