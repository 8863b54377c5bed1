"""Packages that only some readers need."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from unihpe.errors import InputError


def extra(module: str, package: str, path: Path) -> Any:
    """A module that only this reader needs.

    Raises:
        InputError: naming what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{path}: reading it needs {package}: pip install 'unihpe[data]'"
        ) from error
