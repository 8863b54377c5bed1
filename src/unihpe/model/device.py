"""The device that a model runs on."""

import torch

from unihpe.errors import InputError, one_line


def usable_device(name: str) -> str:
    """The device by its torch name, `auto` the first there is of cuda, mps and cpu; InputError for
    one that torch does not know, or that this machine lacks."""
    if name == "auto":
        other = "mps" if torch.backends.mps.is_available() else "cpu"
        return "cuda" if torch.cuda.is_available() else other
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = one_line(str(error).splitlines()[0], 80)
        raise InputError(f"device {name}: not usable here ({reason}); try cpu") from error
    return name
