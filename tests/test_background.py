"""Work behind a plain generator: bounded, nothing lost on errors, gone when nobody listens."""

import asyncio
import itertools
import threading
from contextlib import asynccontextmanager

import pytest

from snaketune.chat.background import results
from snaketune.errors import UserError

log: list[str] = []


@asynccontextmanager
async def context():
    log.append("in")
    try:
        yield
    finally:
        log.append("out")


async def double(job: int) -> tuple[int, list[int]]:
    await asyncio.sleep(0.001)
    return 2 * job, []


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    log.clear()
    yield
    assert log in ([], ["in", "out"])
    assert not [thread for thread in threading.enumerate() if thread.name == "chat"]


def test_all_results_come_once():
    batches = list(results(context(), double, iter(range(500)), 16))
    assert sorted(itertools.chain(*batches)) == [2 * job for job in range(500)]
    assert all(batches)


def test_no_jobs_no_results():
    assert list(results(context(), double, iter(()), 4)) == []


def test_no_more_is_begun_than_fits_until_the_caller_has_kept_it():
    begun = itertools.count()
    jobs = (next(begun) for _ in itertools.repeat(0))
    stream = results(context(), double, jobs, 5)
    first = next(stream)
    threading.Event().wait(0.05)
    assert next(begun) == 5
    second = next(stream)
    threading.Event().wait(0.05)
    assert next(begun) <= 6 + 5 and len(first) + len(second) <= 10
    stream.close()


def test_what_is_left_of_a_job_comes_before_further_jobs_and_is_shared_out():
    order, width = [], 0

    async def peel(job: list[int]) -> tuple[int, list[list[int]]]:
        nonlocal width
        order.append(job[0])
        width += 1
        peak.append(width)
        await asyncio.sleep(0.01)
        width -= 1
        return job[0], [[part] for part in job[1:]]

    peak: list[int] = []
    jobs = iter([[0, 1, 2, 3, 4], [5]])
    batches = list(results(context(), peel, jobs, 3))
    assert sorted(itertools.chain(*batches)) == [0, 1, 2, 3, 4, 5]
    assert order[:2] == [0, 5] and max(peak) == 3, "the rest of the last job is done side by side"


def test_an_error_comes_behind_the_results_of_what_was_under_way():
    async def odd_one_out(job: int) -> tuple[int, list]:
        await asyncio.sleep(0.001 if job == 3 else 0.02)
        if job == 3:
            raise UserError("three")
        return job, []

    got: list[int] = []
    with pytest.raises(UserError, match="three"):
        for batch in results(context(), odd_one_out, itertools.count(), 8):
            got += batch
    assert sorted(got) == [0, 1, 2, 4, 5, 6, 7]


def test_errors_of_all_at_once_end_it_too():
    async def fail(job: int) -> tuple[int, list]:
        raise UserError(str(job))

    with pytest.raises(UserError, match="0"):
        list(results(context(), fail, itertools.count(), 4))


def test_an_error_of_the_jobs_themselves_is_raised():
    def broken():
        yield 1
        raise UserError("no more records")

    with pytest.raises(UserError, match="no more records"):
        list(results(context(), double, broken(), 4))


def test_a_caller_who_leaves_cancels_what_is_under_way():
    cancelled = []

    async def slow(job: int) -> tuple[int, list]:
        try:
            await asyncio.sleep(0 if job == 0 else 60)
        except asyncio.CancelledError:
            cancelled.append(job)
            raise
        return job, []

    for batch in results(context(), slow, itertools.count(), 4):
        assert batch == [0]
        break
    assert len(cancelled) >= 3


def test_an_interrupt_in_the_caller_leaves_nothing_running():
    with pytest.raises(KeyboardInterrupt):
        for _ in results(context(), double, itertools.count(), 4):
            raise KeyboardInterrupt
