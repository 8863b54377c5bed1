"""One reader a tool: the people of a file as they are there. The content tells the tool."""

from unihpe.inputs.readers.arrays import read_arrays
from unihpe.inputs.readers.table import KNOWN, READERS, Reader, reader_of

__all__ = ["KNOWN", "READERS", "Reader", "read_arrays", "reader_of"]
