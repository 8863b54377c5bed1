"""Results out, one writer a format."""

from unihpe.export.json import write_json
from unihpe.export.npz import write_npz

__all__ = ["write_json", "write_npz"]
