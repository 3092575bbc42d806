"""A question as a record: lettered options to be asked, letters and texts as the gold answer."""

import json
import string

from snaketune.questions import Question


def question_record(question: Question, group: str, option: str, between: str) -> dict:
    """A record of a question; letters follow from the order of its options.

    Its fields are `question`, `options` (each lettered by `option`, such as `{letter}. {text}`,
    with `between` between them), `choices` (the texts as a JSON list) and `type`. Its label has
    `letters` (AC), `answer` (the right options, lettered as in `options`) and `explanation`.
    `stratum` is what the split keeps the shares of.
    """
    lettered = {
        text: option.format(letter=letter, text=text)
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
            "options": between.join(lettered.values()),
            "choices": json.dumps(question.options, ensure_ascii=False),
            "type": question.type,
        },
        "label": {
            "letters": "".join(letters),
            "answer": between.join(
                lettered[text] for text in question.options if text in question.answer
            ),
            "explanation": question.explanation,
        },
        "group": group,
        "stratum": question.type,
    }
