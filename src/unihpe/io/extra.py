"""Packages that only some parts need: the extras of pyproject.toml."""

import importlib
from typing import Any

from unihpe.errors import InputError


def extra(module: str, name: str, why: str) -> Any:
    """A module of the extra `name`; where it is not installed an InputError says why and how."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{why}: pip install 'unihpe[{name}]'") from error
