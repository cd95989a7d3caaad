"""Work over processes: order, errors, workers that die."""

import functools
import os
import time

import pytest
from densedepth.errors import PipelineError
from densedepth.pool import Workers, ordered


def square(task, tick):
    time.sleep(0.05 if task == 0 else 0)
    tick(1)
    return task * task


def fail_at_three(task, tick):
    if task == 3:
        raise PipelineError("task 3 is wrong")
    return task


def die(task, tick):
    os._exit(9)


def run_until_stopped(task, tick):
    if task == 0:
        raise PipelineError("the first is wrong")
    while True:
        time.sleep(0.01)
        tick(1)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order_and_ticks_are_summed(workers):
    totals = []
    assert list(ordered(square, range(8), workers, totals.append)) == [n * n for n in range(8)]
    assert totals == sorted(totals)
    assert totals[-1] == 8


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_arrives_as_it_is(workers):
    with pytest.raises(PipelineError, match=r"^task 3 is wrong$"):
        list(ordered(fail_at_three, range(8), workers))


def test_an_error_stops_the_other_workers():
    with pytest.raises(PipelineError, match=r"^the first is wrong$"):
        list(ordered(run_until_stopped, range(2), 2))


def test_a_worker_that_dies_is_told():
    with pytest.raises(PipelineError, match="worker process died"):
        list(ordered(die, range(2), 2))


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def tasks():
        for task in range(100):
            taken.append(task)
            yield task

    results = ordered(square, tasks(), 2)
    assert next(results) == 0
    assert len(taken) <= 6
    results.close()


def leave_a_mark(folder):
    with open(os.path.join(folder, str(os.getpid())), "w"):
        pass
    raise PipelineError("what is wrong is told by the work that needs it")


def test_each_process_gets_ready_before_there_is_work(tmp_path):
    with Workers(2, functools.partial(leave_a_mark, str(tmp_path))) as pool:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        assert list(pool.ordered(square, range(4))) == [0, 1, 4, 9]
    assert len(list(tmp_path.iterdir())) == 2
    with Workers(1, functools.partial(leave_a_mark, str(tmp_path))) as pool:
        assert list(pool.ordered(square, range(2))) == [0, 1]
    assert not (tmp_path / str(os.getpid())).exists()
