"""The packages of the extra `synthetic`, imported when they are needed and asked for by name when they are absent."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

from unihpe.errors import InputError

Function = TypeVar("Function", bound=Callable[..., Any])


def needed(package: str) -> Any:
    """An optional package, imported.

    Raises:
        InputError: if it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InputError(
            f"rendered people need {package}: pip install 'unihpe[synthetic]'"
        ) from error


def compiled(function: Function) -> Function:
    """The function compiled by numba, without fast-math: the same numbers each time; machine code is kept on disk."""
    made: Function = needed("numba").njit(cache=True)(function)
    return made
