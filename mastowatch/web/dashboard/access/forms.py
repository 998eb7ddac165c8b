"""Reads a form that a page of ours has sent. Nothing else is read: no files, no JSON."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import ImmutableMultiDict

from mastowatch.web.dashboard.access.refusals import FormTooLarge, NotAForm

LIMIT = 64 * 1024
# A page lists at most 200 jobs, each with a box to tick.
FIELDS_MAX = 500

# What a form has sent: ``form["name"]``, ``form.get("name", "")``, and ``form.getlist("id")`` for ticked boxes.
Form = ImmutableMultiDict[str, str]


async def read_form(request: Request) -> Form:
    """Return the form in the body of ``request``; raises FormTooLarge or NotAForm."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise NotAForm("Send this form from the dashboard's own page.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LIMIT:
            raise FormTooLarge(f"A form here has at most {LIMIT // 1024} KiB.")
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:  # too many fields, or bytes that are no text
        raise NotAForm("The form can't be read. Load the page anew, and try again.") from error
    return Form(fields)
