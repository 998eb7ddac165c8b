"""Why somebody is not let in, or may not do what they asked for."""

from __future__ import annotations

from mastowatch.jobs.refusals import Refusal


class NotSignedIn(Refusal):
    """Nobody is signed in, or not any more."""

    status, title = 401, "Not signed in"


class Forbidden(Refusal):
    """The person may not do this, or the request did not come from one of our own pages."""

    status, title = 403, "Not allowed"


class FormTooLarge(Refusal):
    """The form is larger than any of ours."""

    status, title = 413, "Too large"


class NotAForm(Refusal):
    """What was sent is no form."""

    status, title = 415, "Not a form"


class TooManyAttempts(Refusal):
    """Signing in was tried too often; ``wait_s`` is when it may be tried again."""

    status, title = 429, "Too many attempts"

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, round(wait_s + 0.5))
        super().__init__(f"Signing in was tried too often. Try again in {self.wait_s} s.")
