"""What a name with a colon stands for: `my_module:NAME`, a part that lies outside the package."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from unihpe.errors import InputError, one_line


def import_outside(module: str) -> ModuleType:
    """A module by its name, also of the current folder; an InputError says why it fails."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever the module's own code raises
        reason = one_line(f"{type(error).__name__}: {error}", 120)
        raise InputError(f"{module} cannot be imported ({reason})") from error
    finally:
        sys.path.remove(folder)


def import_named(name: str) -> object:
    """The attribute that `my_module:NAME` names; an InputError where there is none."""
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise InputError(f"'{name}': write it as my_module:NAME")
    try:
        loaded = import_outside(module)
    except InputError as error:
        raise InputError(f"'{name}': {error}") from error
    if not hasattr(loaded, attribute):
        raise InputError(f"'{name}': there is no {attribute} in {module}")
    return getattr(loaded, attribute)
