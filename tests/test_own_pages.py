"""What the pages of a study say, and leave out, where nothing is published beside it."""

import pytest

from snaketune.pages import as_html, as_markdown
from snaketune.tables import COLUMNS, TableSettings, sections

SETTINGS = TableSettings(
    study="mine",
    title="mine",
    models=["base", "tuned"],
    baseline="base",
    scale="demo",
    run="demo",
)


def pages(unparsed: int, published: float | None = None) -> list[str]:
    row = dict.fromkeys(COLUMNS) | {"dataset": "mine", "split": "test", "metric": "first_word"}
    row |= {"n": 40, "correct": 4, "errors": 0, "accuracy": 0.1, "ci_low": 0, "ci_high": 0.2}
    base = row | {"model": "base", "unparsed": unparsed}
    tuned = row | {"model": "tuned", "unparsed": 40, "published": published}
    parts = sections([base, tuned], "base")
    return [as_html(SETTINGS, parts), as_markdown(SETTINGS, parts)]


@pytest.mark.parametrize("form", [0, 1])
def test_published_numbers_have_a_column_only_where_there_are_some(form):
    assert "published" not in pages(0)[form]
    assert "published %" in pages(0, published=0.8)[form]


@pytest.mark.parametrize("form", [0, 1])
def test_a_baseline_whose_answers_cannot_be_read_is_told(form):
    said = "base: 21 of 40 answers are unparsed (first_word): it fails by form"
    assert pages(21)[form].count(said) == 1
    assert "answers are unparsed" not in pages(20)[form]
