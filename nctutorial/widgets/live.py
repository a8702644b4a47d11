"""Training that can be steered: λ moves while a small model learns, and its point moves on the R-D plane.

The kernel trains one step at a time and listens in between, in its own event loop: there is no thread that could
outlive its widget. Training stops when the reader pauses it or interrupts the kernel, whatever cell runs then, when
its cell is run again, when another widget starts, when no page shows it any more, and by itself PATIENCE steps after
the last touch.
"""

import asyncio
import base64
import io
import signal
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path

import anywidget
import numpy as np
import traitlets as t
from IPython import get_ipython
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..codec.units import LAM_MAX, LAM_MIN
from ..data import check_image
from ..plotting import BLUE, STYLE
from .frames import Lam
from .threads import running_loop

HERE = Path(__file__).parent
EVERY = 5  # training steps between two measurements
PAUSE = 0.005  # seconds after each step in which the kernel listens
PATIENCE = 2000  # training steps without a touch after which it stops
INTERRUPTED = "The kernel was interrupted."
TRAIL = 400  # points on the plane; older ones are dropped


class LiveTraining(anywidget.AnyWidget):
    """A widget that trains while its reader moves λ.

    step: λ -> None, one training step. measure: () -> (bpp, PSNR in dB, uint8 (H, W, 3)), what the model makes of
    one picture now. lam: λ at the start, within [LAM_MIN, LAM_MAX]. goals: (bpp, PSNR) points to show for comparison.
    `run(lam, steps)` trains at once, the same everywhere; `running = True` trains until something stops it, and
    needs the event loop of a notebook. `trail` holds [step, λ, bpp, PSNR] for each point. Raises TraitError.
    """

    _esm = (HERE / "live.js").read_text("utf-8")
    _css = (HERE / "live.css").read_text("utf-8")
    lam = Lam(LAM_MIN).tag(sync=True)
    lam_range = t.List([LAM_MIN, LAM_MAX]).tag(sync=True)
    running = t.Bool(False).tag(sync=True)
    trail: t.List = t.List().tag(sync=True)
    goals: t.List = t.List().tag(sync=True)
    frame = t.Dict().tag(sync=True)  # the picture as it comes out now: its size and raw pixels
    note = t.Unicode().tag(sync=True)  # why it stopped

    _active = None  # weak reference to the widget that trains; one at a time in a kernel

    def __init__(
        self, step: Callable[[float], object], measure: Callable[[], tuple], lam: float = 0.01, goals: Iterable = ()
    ):
        self._step, self._measure = step, measure
        self._home = running_loop()  # of the thread of the cells, where interrupts arrive
        self._task: asyncio.Task | None = None
        self._interrupted, self._left = False, 0
        self._stills: list[tuple[float, np.ndarray]] = []  # (λ, picture) at the end of each run
        super().__init__(lam=lam, goals=[list(map(float, goal)) for goal in goals])
        self.steps = 0
        self._look()
        self.observe(self._touch, "lam")
        self.observe(self._switch, "running")
        self.on_msg(self._receive)

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
            self.trail = [*self.trail, [self.steps, self.lam, float(bpp), float(psnr)]][-TRAIL:]
            self.frame = {"height": height, "width": width, "pixels": self._picture.tobytes()}

    def _touch(self, _=None):
        self._left = PATIENCE

    def _switch(self, _):
        if not self.running:
            return
        loop = self._home or running_loop()
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
                    self._stop(f"No touch for {PATIENCE} steps.")
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

    def _receive(self, _, content, buffers):
        if content.get("kind") == "gone":  # no page shows the widget any more: its cell was run again, say
            self._stop("The widget was closed.")

    # ---- without a kernel

    def __repr__(self):
        return f"LiveTraining(λ = {self.lam:.3g}, {self.steps} steps)"

    def _repr_mimebundle_(self, **kwargs):
        bundle, metadata = super()._repr_mimebundle_(**kwargs)
        alt = "The point of a small model on the rate-distortion plane while it trains and λ changes, and its pictures"
        picture = {"image/png": self.picture(), "text/plain": repr(self)}
        return bundle | picture, (metadata or {}) | {"image/png": {"alt": alt}}

    def picture(self) -> str:
        """The trail so far on the R-D plane, and the picture after each `run`, as a base64 PNG."""
        stills = self._stills[-3:] or [(self.lam, self._picture)]
        with rc_context(STYLE):
            figure = Figure(figsize=(9, 4.4), layout="constrained")
            left, right = figure.subfigures(1, 2, width_ratios=(2.4, 1), squeeze=False)[0]
            self._draw_trail(left.subplots())
            for ax, (lam, picture) in zip(np.ravel(right.subplots(len(stills), 1)), stills, strict=True):
                ax.imshow(picture)
                ax.set_title(f"after λ = {lam:.3g}", fontsize=9)
                ax.set_axis_off()
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png")
        return base64.b64encode(buffer.getvalue()).decode()

    def _draw_trail(self, ax):
        trail = np.array(self.trail)
        ax.plot(trail[:, 2], trail[:, 3], "-", color="#8c959f", linewidth=1)
        for lam in dict.fromkeys(trail[:, 1]):
            part = trail[trail[:, 1] == lam]
            ax.plot(part[:, 2], part[:, 3], ".", markersize=5)
        changes = [*np.flatnonzero(np.diff(trail[:, 1])), len(trail) - 1]
        middle = (trail[:, 2].min() + trail[:, 2].max()) / 2
        for number, i in enumerate(changes):
            step, lam, bpp, psnr = trail[i]
            ax.plot(bpp, psnr, "o", color=BLUE, markersize=8)
            to_the_left = bpp > middle
            place = (-8 if to_the_left else 8, 8 if number % 2 else -14)  # where λ returns, so does the point
            style = {"textcoords": "offset points", "ha": "right" if to_the_left else "left"}
            ax.annotate(f"step {step:.0f}, λ = {lam:.3g}", (bpp, psnr), place, **style)
        if self.goals:
            ax.plot(*np.array(self.goals).T, "k+", markersize=11, markeredgewidth=2)
        ax.set(xlabel="estimated rate (bpp)", ylabel="PSNR (dB)", title="where the model stands while it trains")
        ax.margins(0.12)
