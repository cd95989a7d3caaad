"""A process pool: results in order, errors and interruptions as in a single process."""

import collections
import concurrent.futures
import concurrent.futures.process
import contextlib
import multiprocessing
import os
import signal
import threading
import time
from typing import Any, Callable, Deque, Generator, Iterable, Optional

from .errors import PipelineError

# Hears how many units of work are done: more of them, or their sum.
Tick = Callable[[int], None]

# Of the process that started this one, see `_start`.
_done: Any = None
_stop: Any = None


def ordered(
    function: Callable[[Any, Tick], Any], tasks: Iterable[Any], workers: int, progress: Optional[Tick] = None
) -> Generator[Any, None, None]:
    """`Workers(workers).ordered(function, tasks, progress)`, with the processes started for this alone."""
    with Workers(workers) as pool:
        yield from pool.ordered(function, tasks, progress)


class Workers:
    """`count` processes, started at once and afresh (spawn), so calling programs need their `__name__` guard.

    ready: picklable, called by each process as soon as it runs, for what takes time and can go on beside the caller's
    own preparations; its PipelineErrors are left to the work that meets them again. A context manager, at whose end the
    processes end. With `count` 1 the work is done in this process, and `ready` is not called.
    """

    def __init__(self, count: int, ready: Optional[Callable[[], Any]] = None) -> None:
        self.count = count
        self._ready = ready
        self._executor: Optional[concurrent.futures.ProcessPoolExecutor] = None

    def __enter__(self) -> "Workers":
        if self.count > 1:
            context = multiprocessing.get_context("spawn")
            self._done, self._stop = context.Value("q", 0), context.Value("b", 0)
            self._executor = concurrent.futures.ProcessPoolExecutor(
                self.count,
                mp_context=context,
                initializer=_start,
                initargs=(self._done, self._stop, os.getpid(), self._ready),
            )
            # Some versions start a process with its first task, not before.
            for _ in range(self.count):
                self._executor.submit(os.getpid)
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._executor:
            self._stop.value = 1
            self._executor.shutdown(wait=True)

    def ordered(
        self, function: Callable[[Any, Tick], Any], tasks: Iterable[Any], progress: Optional[Tick] = None
    ) -> Generator[Any, None, None]:
        """Yield `function(task, tick)` for each of `tasks`, in their order.

        `tick(n)` is for `function` to call as it gets on; `progress(total)` hears the sum of the ticks so far. Not more
        than two tasks a worker are in flight, so results do not pile up. `function` and tasks must be picklable. An
        exception of a worker is raised here, and the others stop; PipelineError when a worker dies.
        """
        if not self._executor:
            return _alone(function, tasks, progress)
        return self._spread(function, tasks, progress)

    def _spread(self, function, tasks, progress):
        executor: Any = self._executor
        waiting: Deque[Any] = collections.deque()
        tasks = iter(tasks)
        try:
            exhausted = False
            while True:
                while not exhausted and len(waiting) < 2 * self.count:
                    try:
                        waiting.append(executor.submit(_work, function, next(tasks)))
                    except StopIteration:
                        exhausted = True
                if not waiting:
                    return
                # An error counts as soon as it happens, not when its turn comes.
                finished = concurrent.futures.wait([waiting[0]], timeout=0.2).done
                if progress:
                    progress(self._done.value)
                for future in waiting:
                    if future.done() and future.exception() is not None:
                        raise future.exception()
                if finished:
                    yield waiting.popleft().result()
        except concurrent.futures.process.BrokenProcessPool:
            raise PipelineError(
                "a worker process died (killed for want of memory?); try again with fewer workers"
            ) from None
        finally:
            for future in waiting:
                future.cancel()
            if waiting:
                self._stop.value = 1


def _alone(function, tasks, progress):
    total = 0

    def tick(count):
        nonlocal total
        total += count
        if progress:
            progress(total)

    for task in tasks:
        yield function(task, tick)


def _start(done, stop, parent, ready):
    global _done, _stop
    _done, _stop = done, stop
    # Ctrl-C reaches the whole group: the parent alone decides, and tells through `stop`.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if ready:
        with contextlib.suppress(PipelineError):
            ready()


def _end_with(parent):
    """End this process soon after its parent, which may be killed without a chance to say so."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _work(function, task):
    return function(task, _tick)


def _tick(count):
    with _done.get_lock():
        _done.value += count
    if _stop.value:
        raise PipelineError("stopped")
