"""A person at a terminal: reads what a program prints, and types; also what is asked without being shown."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_S = 30.0


class Person:
    """``read`` is all that the terminal has shown so far, what was typed and echoed included."""

    def __init__(self, handle: int, program: subprocess.Popen[bytes]) -> None:
        self._handle, self.program, self.read, self._seen = handle, program, "", 0

    def waits_for(self, text: str) -> str:
        """Read until the text is there; return what has come since the last text that was waited for."""
        until = time.monotonic() + PATIENCE_S
        while text not in self.read[self._seen :]:
            assert time.monotonic() < until, f"{text!r} did not come:\n{self.read[self._seen :]}"
            if not self._more(until - time.monotonic()):
                raise AssertionError(f"the program ended before {text!r}:\n{self.read[self._seen :]}")
        end = self.read.index(text, self._seen) + len(text)
        found, self._seen = self.read[self._seen : end], end
        return found

    def types(self, text: str) -> None:
        """Type a line."""
        os.write(self._handle, f"{text}\n".encode())

    def answers(self, question: str, text: str = "") -> str:
        """Wait for a question and type the answer; return what came before it."""
        found = self.waits_for(question)
        self._settle()
        self.types(text)
        return found

    def presses(self, key: bytes) -> None:
        """Press a key once the program waits for one: Ctrl-C just before it begins to read would only be seen later."""
        self._settle()
        os.write(self._handle, key)

    def ends(self) -> int:
        """Read to the end; return the program's exit status."""
        until = time.monotonic() + PATIENCE_S
        while self._more(until - time.monotonic()):
            assert time.monotonic() < until, f"it goes on and on:\n{self.read[self._seen :]}"
        return self.program.wait(PATIENCE_S)

    def _settle(self) -> None:
        """Read what may still stand behind the question, like a default in brackets, until the program waits."""
        until = time.monotonic() + PATIENCE_S
        while (select.select([self._handle], [], [], 0.05)[0] and self._more(0)) or self._works():
            assert time.monotonic() < until, f"it does not come to wait:\n{self.read[self._seen :]}"

    def _works(self) -> bool:
        """Tell whether the program's main thread is about something other than to wait."""
        told = Path(f"/proc/{self.program.pid}/stat").read_text()
        return told.rpartition(")")[2].split()[0] not in "SZ"

    def _more(self, patience_s: float) -> bool:
        if not select.select([self._handle], [], [], max(0.0, patience_s))[0]:
            return True
        with suppress(OSError):  # so Linux tells the end of a terminal
            data = os.read(self._handle, 65536)
            self.read += data.decode(errors="replace").replace("\r\n", "\n")
            return bool(data)
        return False


@contextmanager
def person_at(*words: str, environ: Mapping[str, str] | None = None) -> Iterator[Person]:
    """Run a command of ``mastowatch`` at a terminal of its own."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "mastowatch", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "100", **(environ or {})},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # for what asks at /dev/tty
    )
    os.close(theirs)
    try:
        yield Person(ours, program)
    finally:
        program.kill()
        program.wait()
        os.close(ours)
