"""Results and data as pictures, films and pages."""

from unihpe.show.draw import draw_2d
from unihpe.show.film import write_film
from unihpe.show.page import write_page
from unihpe.show.sheets import write_pictures
from unihpe.show.space import draw_3d

__all__ = ["draw_2d", "draw_3d", "write_film", "write_page", "write_pictures"]
