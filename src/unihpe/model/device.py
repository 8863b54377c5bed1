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
        torch.ones(1, device=name).item()
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = one_line(str(error).splitlines()[0], 80)
        raise InputError(f"device {name}: not usable here ({reason}); try cpu") from error
    return name


def mixed_precision(device: str, wanted: bool) -> torch.autocast:
    """bfloat16 autocast where it is wanted and pays."""
    # of CPUs, on those with AVX-512: on AVX2, HRNet took eight times as long as in float32
    kind = device.split(":")[0]
    pays = kind != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.autocast(kind, torch.bfloat16, enabled=wanted and pays)
