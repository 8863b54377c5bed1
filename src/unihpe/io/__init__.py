"""Files: written whole or not at all, read with care."""

from unihpe.io.files import replacing, write_text
from unihpe.io.outside import import_named

__all__ = ["import_named", "replacing", "write_text"]
