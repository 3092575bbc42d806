"""Settings of the made bank of driving-test questions."""

from pydantic import Field

from snaketune.config.common import Strict


class DrivingSettings(Strict):
    """A site's part of a seeded bank of driving-test questions, in the site's own words.

    Sites with one `seed` and one number of `questions` draw on one bank, so they overlap.
    """

    questions: int = Field(2000, gt=0)
    """Questions of the whole bank."""
    seed: int = 0
    """Of the bank."""
    cases: int = Field(8, ge=8, le=16)
    """Roads, deeds, places and signs of the bank, each; every one has a fact to be learnt."""
    share: float = Field(1.0, gt=0, le=1)
    """Part of the bank that this site has."""
    variant: int = Field(0, ge=0)
    """0 has the bank's own words. Any other number draws a part of its own, rewords lightly,
    shuffles options, and writes other punctuation, width and blanks."""
    pictures: float = Field(0.05, ge=0, lt=1)
    """Share of the bank's questions that cannot be answered without their picture."""
    conflicts: int = Field(0, ge=0)
    """Questions of this site that state another answer than the bank has."""
