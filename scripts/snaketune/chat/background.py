"""An event loop in a thread, behind a plain generator of results."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from queue import Empty, SimpleQueue
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Work = Callable[[Job], Awaitable[tuple[Result, list[Job]]]]


def results(
    context: AbstractAsyncContextManager, work: Work, jobs: Iterator[Job], width: int
) -> Iterator[list[Result]]:
    """Work on jobs, many at once; yield their results as they finish.

    Jobs are taken one by one as there is room, so any number of them takes the memory of `width`.
    A result counts as room taken until the caller, having kept it, asks for the next ones: no more
    than `width` jobs are ever begun and not kept.

    Args:
        context: entered in the loop before the first job, left behind the last.
        work: for a job, its result and what is left of it as further jobs, which come first.
        jobs: read in the loop's thread.
        width: jobs under way at once.

    Yields:
        The results that have finished since the last ones, at least one.

    Raises:
        Whatever `work` raised first, behind the results of all jobs that were under way. When the
        caller ends early, jobs under way are cancelled.
    """
    runner = _Runner(context, work, jobs, width)
    thread = threading.Thread(target=runner.run, name="chat", daemon=True)
    thread.start()
    try:
        while batch := _finished(runner.done):
            ended = batch[-1] is _END
            if ended:
                batch.pop()
            if batch:
                yield batch
            if ended:
                break
            runner.kept(len(batch))
    finally:
        runner.cancel()
        thread.join()
    if runner.error:
        raise runner.error


_END = object()


def _finished(done: SimpleQueue) -> list:
    """All that is there, waiting for the first."""
    batch = [done.get()]
    while True:
        try:
            batch.append(done.get_nowait())
        except Empty:
            return batch


class _Runner:
    """What runs in the thread."""

    def __init__(
        self, context: AbstractAsyncContextManager, work: Work, jobs: Iterator[Job], width: int
    ):
        self.context, self.work, self.jobs, self.width = context, work, jobs, width
        self.done: SimpleQueue = SimpleQueue()
        self.error: BaseException | None = None
        self._left: deque = deque()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task | None = None
        self._cancelled = False

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self.error = self.error or error
        finally:
            self.done.put(_END)

    def kept(self, count: int) -> None:
        """Make room; called from the other thread."""
        self._call(self._release, count)

    def cancel(self) -> None:
        """End at once, if it has not ended; called from the other thread."""
        self._call(self._cancel)

    def _call(self, function: Callable, *values) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *values)
        except RuntimeError:
            return  # it has ended, and its loop with it

    def _cancel(self) -> None:
        self._cancelled = True
        if self._task:
            self._task.cancel()

    def _release(self, count: int) -> None:
        for _ in range(count):
            self._room.release()

    async def _main(self) -> None:
        self._task, self._room = asyncio.current_task(), asyncio.Semaphore(self.width)
        if self._cancelled:
            return
        async with self.context:
            await self._drive()

    async def _drive(self) -> None:
        under_way: set[asyncio.Task] = set()
        try:
            while not self.error:
                await self._room.acquire()
                while (job := self._next()) is _END and under_way:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                if job is _END or self.error:
                    break
                task = asyncio.create_task(self._one(job))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        finally:
            cancelled = asyncio.current_task().cancelling()
            for task in under_way:
                if cancelled:
                    task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def _next(self) -> object:
        """The next job, or _END."""
        return self._left.popleft() if self._left else next(self.jobs, _END)

    async def _one(self, job: Job) -> None:
        try:
            result, left = await self.work(job)
            self._left.extend(left)
            self.done.put(result)
        except Exception as error:
            self.error = self.error or error
            self._release(1)  # there is nothing to keep
