"""A question as a record: lettered options to be asked, letters and texts as the gold answer."""

import json
import string

from snaketune.config.sources import QuestionsSource
from snaketune.questions import Question


def question_record(question: Question, group: str, source: QuestionsSource) -> dict:
    """A record of a question; letters follow from the order of its options.

    Its fields are `question`, `options` (lettered, as the source has them), `choices` (the texts
    as a JSON list) and `type`. Its label has `letters` (AC), `answer` (the right options, lettered
    as in `options`) and `explanation`. `stratum` is what the split keeps the shares of.
    """
    lettered = {
        text: source.option.format(letter=letter, text=text)
        for letter, text in zip(string.ascii_uppercase, question.options, strict=False)
    }
    letters = [
        letter
        for letter, text in zip(string.ascii_uppercase, question.options, strict=False)
        if text in question.answer
    ]
    return {
        "id": question.id,
        "fields": {
            "question": question.stem,
            "options": source.between.join(lettered.values()),
            "choices": json.dumps(question.options, ensure_ascii=False),
            "type": question.type,
        },
        "label": {
            "letters": "".join(letters),
            "answer": source.between.join(
                lettered[text] for text in question.options if text in question.answer
            ),
            "explanation": question.explanation,
        },
        "group": group,
        "stratum": question.type,
    }
