"""Work that is cut into independent parts, on all processors, with results in the order of the parts."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

_shared: Any = None
_progress: Any = None
TELL_S = 0.2
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def _share(value: Any, progress: Any) -> None:
    global _shared, _progress
    _shared, _progress = value, progress
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot end its pool, and the part in hand may take an hour."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(function: Callable[[Any, Any], Any], part: Any) -> Any:
    return function(_shared, part)


def advance(steps: int) -> None:
    """Called by a function inside a pool: so much more is done."""
    with _progress.get_lock():
        _progress.value += steps


class Pool:
    """Processes that all hold one value and apply functions to it and a part."""

    def __init__(self, executor: ProcessPoolExecutor, progress: Any) -> None:
        self._executor, self._progress = executor, progress

    def map(
        self,
        function: Callable[[Any, Part], Result],
        parts: Sequence[Part],
        tell: Callable[[int], Any] = lambda steps: None,
    ) -> Iterator[Result]:
        """``function(shared value, part)`` for every part, begun at once; results as they follow each other.
        `tell` hears of what the functions said to `advance`."""
        return self._results([self._executor.submit(_call, function, part) for part in parts], tell)

    def _results(self, futures: list[Future[Result]], tell: Callable[[int], Any]) -> Iterator[Result]:
        told = 0
        for future in futures:
            while not future.done():
                wait([future], timeout=TELL_S)
                done = self._progress.value
                tell(done - told)
                told = done
            yield future.result()


@contextmanager
def pool(shared: Any, processes: int | None = None) -> Iterator[Pool]:
    """A pool that ends with the block.

    Args:
        shared: sent to every process once; must pickle.
        processes: default one per processor.
    """
    count = processes or len(os.sched_getaffinity(0))
    before = {name: os.environ.get(name) for name in _BLAS_THREADS}
    # One thread of linear algebra per process; read when a new interpreter imports NumPy, hence "spawn".
    os.environ.update(dict.fromkeys(_BLAS_THREADS, "1"))
    try:
        context = get_context("spawn")
        progress = context.Value("q", 0)
        with ProcessPoolExecutor(count, context, _share, (shared, progress)) as executor:
            yield Pool(executor, progress)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def ahead(tasks: Iterable[Callable[[], Result]], most: int = 2) -> Iterator[Result]:
    """Results of tasks in their order, while `most` of the next ones are made and done in a thread."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(1) as thread:
        for task in tasks:
            waiting.append(thread.submit(task))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
