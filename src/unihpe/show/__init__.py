"""Results and data as pictures."""

from unihpe.show.draw import draw_2d, draw_3d
from unihpe.show.sheets import write_pictures

__all__ = ["draw_2d", "draw_3d", "write_pictures"]
