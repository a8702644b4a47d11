"""How to train: the numbers of a training, and its schedule."""

from dataclasses import dataclass
from typing import NamedTuple

from ..codec.rounding import ROUNDING_COST

WARM_UP = 0.01  # the part of a training in which the learning rate rises
STAGES = (  # end of the stage, crops a step and their side, learning rate at begin and end: parts of the whole
    (0.05, 2, 1 / 2, 1, 1),
    (0.60, 1, 3 / 4, 1, 1),
    (0.85, 1, 1, 1, 0),
    (1.00, 1, 1, 0.35, 0),
)


class Step(NamedTuple):
    """What one step does."""

    batch: int
    crop: int
    rate: float  # in parts of the peak learning rate
    joint: bool  # all learns, with noise; else the encoder rests


@dataclass(frozen=True)
class Recipe:
    """How to train, in four stages that take fixed parts of it, by steps or, with a budget, by the clock.

    First small crops, to start; then, for half of the time, middle ones at the full learning rate; then large ones
    while it falls to 0. Last the encoder rests, and all behind it learns with the quantizer that files use.
    Raises ValueError if `crop` is not a multiple of 64.
    """

    steps: int = 100_000
    budget: float = 0.0  # minutes; 0: by steps
    batch: int = 8
    crop: int = 256  # pixels each way
    lr: float = 2e-3
    seed: int = 0
    rounding_cost: float = ROUNDING_COST  # see codec.rounding.best_deadzone
    every: int = 500  # steps between validations
    bf16: bool = False  # run the transforms in bfloat16; a GPU always does

    def __post_init__(self) -> None:
        if self.crop % 64:
            raise ValueError(f"crop must be a multiple of 64, not {self.crop}")

    def progress(self, step: int, seconds: float) -> float:
        """The part of the training that is over, 0 to 1."""
        over, whole = (seconds, 60 * self.budget) if self.budget else (step, self.steps)
        return over / whole if over < whole else 1.0

    def at(self, progress: float, large: bool = False) -> Step:
        """What to do when a part of the training is over. large: always whole crops, since each shape is compiled."""
        number = sum(progress >= end for end, *_ in STAGES[:-1])
        begin = STAGES[number - 1][0] if number else 0.0
        end, batch, crop, first, last = STAGES[number]
        if large:
            batch = crop = 1
        rate = first + (last - first) * (progress - begin) / (end - begin)
        joint = number < len(STAGES) - 1
        return Step(round(self.batch * batch), round(self.crop * crop), rate * min(1, progress / WARM_UP), joint)
