"""The background: one thread, which leaves the others as they are."""

import asyncio
import threading

import torch

from nctutorial.widgets.threads import BACKGROUND, in_background, running_loop


def test_the_background_has_one_thread_of_torch_and_others_what_they_had():
    seen = []
    other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert BACKGROUND.submit(torch.get_num_threads).result() == 1
    assert seen == [torch.get_num_threads()]


def test_work_in_the_background_is_done_one_after_the_other_elsewhere():
    async def both():
        assert running_loop() is asyncio.get_running_loop()
        return await asyncio.gather(*(in_background(lambda x: (x, threading.get_ident()), x) for x in range(3)))

    assert running_loop() is None
    results, idents = zip(*asyncio.run(both()), strict=True)
    assert results == (0, 1, 2) and len(set(idents)) == 1 and threading.get_ident() not in idents
