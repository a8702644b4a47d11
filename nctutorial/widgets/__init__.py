"""What moves in the notebooks: frames under a slider, live training, the λ explorer."""

from .explorer import LambdaExplorer, precompute, write_html
from .frames import FrameSlider, interval_ladder, settled
from .live import LiveTraining

__all__ = ["FrameSlider", "LambdaExplorer", "LiveTraining", "interval_ladder", "precompute", "settled", "write_html"]
