"""What moves in the notebooks: frames under a slider, live training, the λ explorer."""

from .explorer import LambdaExplorer
from .frames import FrameSlider
from .live import LiveTraining
from .standalone import precompute, write_html

__all__ = ["FrameSlider", "LambdaExplorer", "LiveTraining", "precompute", "write_html"]
