"""How long to wait before the next try."""

import random
import time
from email.utils import parsedate_to_datetime

FIRST, LONGEST = 0.5, 30.0
"""Seconds: the first wait, and where doubling ends."""
PATIENCE = 600.0
"""A server that asks for a longer wait than this gets no further try in this run."""


def wait_before(tries: int, retry_after: float | None, draw: random.Random) -> float:
    """Seconds to wait after so many failed tries.

    Exponential backoff with jitter; what the server asked for is never cut short, and stretched
    by up to a tenth, so that many waiting requests do not come back in the same instant.
    """
    wait = min(LONGEST, FIRST * 2 ** (tries - 1)) * draw.uniform(0.5, 1)
    return max(wait, (retry_after or 0) * draw.uniform(1, 1.1))


def seconds_asked(retry_after: str | None) -> float | None:
    """Value of a Retry-After header, given as seconds or as a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
