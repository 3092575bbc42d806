"""Progress bars, which are for terminals, with a line in the log each minute for all others."""

import logging
import time

from tqdm import tqdm

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between two lines in the log."""


class Bar(tqdm):
    """tqdm's bar, which also logs how far it is."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._next_line = time.monotonic() + PAUSE

    def update(self, n: float = 1) -> bool | None:
        """Go on by `n`."""
        shown = super().update(n)
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + PAUSE
            log.info("%s: %d of %s.", self.desc.removesuffix(": "), self.n, self.total or "?")
        return shown
