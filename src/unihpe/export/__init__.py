"""Results, and their files: one writer a format."""

from unihpe.export.formats import FORMATS, Format, chosen, save, write
from unihpe.export.json import write_json
from unihpe.export.npz import write_npz
from unihpe.export.reading import read_results
from unihpe.export.results import Results

__all__ = [
    "FORMATS",
    "Format",
    "Results",
    "chosen",
    "read_results",
    "save",
    "write",
    "write_json",
    "write_npz",
]
