"""Packages that only some readers need."""

import importlib
from pathlib import Path
from typing import Any

from unihpe.errors import InputError


def extra(module: str, package: str, path: Path) -> Any:
    """A module that only this reader needs; an InputError says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{path}: reading it needs {package}: pip install 'unihpe[data]'"
        ) from error
