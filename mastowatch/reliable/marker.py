"""An open file that is nobody's business: if it was closed, a job has closed files that are not its own."""

from __future__ import annotations

import os


class Marker:
    """One end of a pipe, and which pipe it was."""

    def __init__(self) -> None:
        self._fd, other = os.pipe()
        os.close(other)
        self._was = self._identity()

    def untouched(self) -> bool:
        """Tell whether the file is still open and still the same."""
        try:
            return self._identity() == self._was
        except OSError:
            return False

    def _identity(self) -> tuple[int, int]:
        found = os.fstat(self._fd)
        return found.st_dev, found.st_ino
