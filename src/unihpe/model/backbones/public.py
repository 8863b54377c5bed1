"""The table of public weight files, weights.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from unihpe.errors import InputError
from unihpe.io.downloads import RemoteFile


@dataclass(frozen=True)
class PublicFile(RemoteFile):
    """A public file of weights."""

    megabytes: int  # about; 0 if not published
    licence: str  # as its publisher states it
    about: str  # what it holds
    joints: str = ""  # the skeleton of its heat-map head; "" where it has none


@cache
def public_files() -> dict[str, PublicFile]:
    """The table by name."""
    text = resources.files(__package__).joinpath("weights.toml").read_text(encoding="utf-8")
    return {name: PublicFile(name, **fields) for name, fields in tomllib.loads(text).items()}


def public_file(name: str) -> PublicFile:
    """One of `public_files`; InputError for an unknown name."""
    if name not in public_files():
        raise InputError(f"no weights named {name!r}: take one of {', '.join(public_files())}")
    return public_files()[name]
