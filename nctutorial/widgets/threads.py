"""On which thread the work of a widget is done: that of the cells, or one in the background."""

import asyncio
import contextlib
import functools
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
    """One thread for all widgets, so that what a move has overtaken cannot pile up and slow the next move."""
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(1, "background", initializer=_step_aside)
    pool.submit(torch.get_num_threads).result()
    torch.set_num_threads(threads)  # it speaks for all threads to come, too
    return pool


BACKGROUND = _background()


def in_background(work: Callable, *args: Any) -> asyncio.Future:
    """Do it on the background's thread, behind what waits there already. To be awaited."""
    return asyncio.get_running_loop().run_in_executor(BACKGROUND, work, *args)


def at_home(work: Callable) -> Callable:
    """Decorates a method to be done on the thread of the cells. JupyterLab's messages arrive on another one.

    There OpenMP would keep a second team, see above; and here nothing else of the widget runs at the same time. Where
    an interrupt, which is meant for a cell, hits the widget, its `_open` makes it anew once the kernel is idle. The
    widget keeps (thread, event loop) of the cells as `_home`.
    """

    @functools.wraps(work)
    def whole(self: Any, *args: Any) -> None:
        try:
            work(self, *args)
        except KeyboardInterrupt:
            with contextlib.suppress(RuntimeError):  # no event loop, as in a plain script
                asyncio.get_running_loop().call_soon(self._open)
            raise

    def later(self: Any, *args: Any) -> None:
        with contextlib.suppress(KeyboardInterrupt):  # it would end the kernel's loop
            whole(self, *args)

    @functools.wraps(work)
    def wrapped(self: Any, *args: Any) -> None:
        thread, loop = self._home
        if loop is None or thread is threading.current_thread():
            whole(self, *args)
        else:
            loop.call_soon_threadsafe(later, self, *args)

    return wrapped
