"""On which thread a widget works: what a reader waits for on that of the cells, what may wait on one beside it."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of this thread; None in a plain script."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _step_aside() -> None:
    if sys.platform == "linux":  # elsewhere niceness belongs to the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    # With a second team of OpenMP threads there are more than cores, and then those of a move sleep between any two
    # layers: a move took 1.5 times as long, even while the background rested.
    torch.set_num_threads(1)


def _background() -> ThreadPoolExecutor:
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(1, "background", initializer=_step_aside)
    pool.submit(torch.get_num_threads).result()
    torch.set_num_threads(threads)  # it speaks for all threads to come, too
    return pool


BACKGROUND = _background()  # one thread for all widgets, so that what a move has overtaken cannot pile up


def in_background(work: Callable, *args: Any) -> asyncio.Future:
    """Do it on the background's thread, behind what waits there already. To be awaited."""
    return asyncio.get_running_loop().run_in_executor(BACKGROUND, work, *args)
