"""What moves in the notebooks: frames under a slider, live training, the λ explorer."""

from ..plotting import interval_ladder, settled
from .explorer import LambdaExplorer
from .frames import FrameSlider
from .live import LiveTraining
from .standalone import precompute, write_html

__all__ = ["FrameSlider", "LambdaExplorer", "LiveTraining", "interval_ladder", "precompute", "settled", "write_html"]
