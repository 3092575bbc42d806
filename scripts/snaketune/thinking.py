"""A model's reasoning between <think> and </think>, kept apart from its answer."""

OPENS, CLOSES = "<think>", "</think>"


def answer_part(text: str) -> str:
    """What a reply says behind its reasoning; empty where the reasoning never ends.

    Chat templates of reasoning models often write the opening tag themselves, so that a reply has
    the closing one alone.
    """
    _, closed, answer = text.rpartition(CLOSES)
    if closed:
        return "" if OPENS in answer else answer.strip()
    return text if OPENS not in text else text.partition(OPENS)[0].strip()
