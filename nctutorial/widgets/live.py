"""Training that can be steered: λ moves while a small model learns, and its point moves on the R-D plane.

The kernel trains one step at a time and listens in between, in its own event loop: there is no thread that could
outlive its widget. Training stops when the reader pauses it or interrupts the kernel, whatever cell runs then, when
its cell is run again, when another widget starts, when no page shows it any more, and by itself some time after the
last touch.
"""

import asyncio
import signal
import weakref
from collections.abc import Callable, Iterable

import numpy as np
import traitlets as t
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data import check_image
from ..plotting import BLUE
from .base import HERE, LamWidget
from .threads import running_loop

EVERY = 5  # training steps between two measurements
PAUSE = 0.005  # seconds after each step in which the kernel listens
INTERRUPTED = "The kernel was interrupted."


class LiveTraining(LamWidget):
    """A widget that trains while its reader moves λ.

    step: λ -> None, one training step. measure: () -> (bpp, PSNR in dB, uint8 (H, W, 3)), what the model makes of
    one picture now. lam: λ at the start, within [LAM_MIN, LAM_MAX]. goals: (bpp, PSNR) points to show for comparison.
    `run(lam, steps)` trains at once, the same everywhere; `running = True` trains until something stops it, and
    needs the event loop of a notebook. `trail` holds [step, λ, bpp, PSNR] for each point. Raises TraitError.
    """

    _esm = HERE / "live.js"
    running = t.Bool(False).tag(sync=True)
    trail: t.List = t.List().tag(sync=True)
    goals: t.List = t.List().tag(sync=True)
    frame = t.Dict().tag(sync=True)  # the picture as it comes out now: its size and raw pixels
    note = t.Unicode().tag(sync=True)  # why it stopped

    idle_steps = 2000  # training steps without a touch after which it stops
    longest_trail = 400  # points; older ones are dropped
    _active = None  # weak reference to the widget that trains; one at a time in a kernel

    def __init__(
        self, step: Callable[[float], object], measure: Callable[[], tuple], lam: float = 0.01, goals: Iterable = ()
    ):
        self._step, self._measure = step, measure
        self._loop = running_loop()  # of the thread of the cells, where interrupts arrive
        self._task: asyncio.Task | None = None
        self._interrupted, self._left = False, 0
        self._stills: list[tuple[float, np.ndarray]] = []  # (λ, picture) at the end of each run
        super().__init__(lam=lam, goals=[list(map(float, goal)) for goal in goals])
        self.steps = 0
        self._look()
        self.observe(self._touch, "lam")
        self.observe(self._switch, "running")
        self.on_msg(lambda *_: self._stop("The widget was closed."))  # the only message: no page shows it any more

    # ---- training

    def run(self, lam: float, steps: int) -> None:
        """Train `steps` steps at λ, here and now."""
        self.lam = lam
        for _ in range(steps):
            self._advance()
        self._stills.append((self.lam, self._picture))

    def _advance(self):
        self._step(self.lam)
        self.steps += 1
        if self.steps % EVERY == 0:
            self._look()

    def _look(self):
        """Measure, and move the point on the plane."""
        bpp, psnr, picture = self._measure()
        self._picture = check_image(picture)
        height, width = picture.shape[:2]
        with self.hold_sync():
            self.trail = [*self.trail, [self.steps, self.lam, float(bpp), float(psnr)]][-self.longest_trail :]
            self.frame = {"height": height, "width": width, "type": "raw", "pixels": self._picture.tobytes()}

    def _touch(self, _=None):
        self._left = self.idle_steps

    def _switch(self, _):
        if not self.running:
            return
        loop = self._loop or running_loop()
        if loop is None:
            self.running = False
            raise RuntimeError("no event loop runs here to train in: call run(lam, steps) instead")
        other = LiveTraining._active and LiveTraining._active()
        if other is not None and other is not self:
            other.running = False
        LiveTraining._active = weakref.ref(self)
        self._touch()
        self._interrupted, self.note = False, ""
        loop.call_soon_threadsafe(self._begin)  # JupyterLab may ask on another thread, that of a subshell

    def _begin(self):
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._train())

    async def _train(self):
        """One step, then listen, and so on. A kernel between two cells ignores interrupts, so they are caught here."""
        shell = get_ipython()
        if shell:
            shell.events.register("post_run_cell", self._after_cell)
        try:
            while self.running:
                if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
                    signal.signal(signal.SIGINT, self._interrupt)
                self._advance()
                self._left -= 1
                if self._interrupted:
                    self._stop(INTERRUPTED)
                elif self._left <= 0:
                    self._stop(f"No touch for {self.idle_steps} steps.")
                await asyncio.sleep(PAUSE)
        except KeyboardInterrupt:
            self._stop(INTERRUPTED)
        except Exception as error:
            self._stop(f"Training failed: {type(error).__name__}: {error}")
        finally:
            if signal.getsignal(signal.SIGINT) == self._interrupt:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            if shell:
                shell.events.unregister("post_run_cell", self._after_cell)

    def _interrupt(self, *_):
        self._interrupted = True

    def _after_cell(self, result):
        """A cell has come to its end. The interrupt that ended it is meant for everything that computes."""
        if result and isinstance(result.error_in_exec, KeyboardInterrupt):  # None if the kernel itself failed
            self._stop(INTERRUPTED)

    def _stop(self, why):
        if self.running:
            self.running, self.note = False, why

    # ---- on a static page

    def __repr__(self):
        return f"LiveTraining(λ = {self.lam:.3g}, {self.steps} steps)"

    def alt(self) -> str:
        return "The point of a small model on the rate-distortion plane while it trains and λ changes, and its pictures"

    def figure(self) -> Figure:
        """The trail so far on the R-D plane, and the picture after each of the last three `run`."""
        stills = self._stills[-3:] or [(self.lam, self._picture)]
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=(2.4, 1), squeeze=False)[0]
        self._draw_trail(left.subplots())
        for ax, (lam, picture) in zip(np.ravel(right.subplots(len(stills), 1)), stills, strict=True):
            ax.imshow(picture)
            ax.set_title(f"after λ = {lam:.3g}", fontsize=9)
            ax.set_axis_off()
        return figure

    def _draw_trail(self, ax: Axes) -> None:
        steps, lams, rates, psnrs = np.array(self.trail).T
        ax.plot(rates, psnrs, "-", color="#8c959f", linewidth=1)
        for lam in dict.fromkeys(lams):
            ax.plot(rates[lams == lam], psnrs[lams == lam], ".", markersize=5)
        for number, i in enumerate([*np.flatnonzero(np.diff(lams)), len(lams) - 1]):  # where λ changes, and the end
            ax.plot(rates[i], psnrs[i], "o", color=BLUE, markersize=8)
            side, align = (-8, "right") if rates[i] > (rates.min() + rates.max()) / 2 else (8, "left")
            style: dict = {"xytext": (side, 8 if number % 2 else -14), "textcoords": "offset points", "ha": align}
            ax.annotate(f"step {steps[i]:.0f}, λ = {lams[i]:.3g}", (rates[i], psnrs[i]), **style)
        if self.goals:
            ax.plot(*np.array(self.goals).T, "k+", markersize=11, markeredgewidth=2)
        ax.set(xlabel="estimated rate (bpp)", ylabel="PSNR (dB)", title="where the model stands while it trains")
        ax.margins(0.12)
