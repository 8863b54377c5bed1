"""How rendered people are made: shares of what they wear, stand among and are seen by."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from unihpe.errors import InputError


@dataclass(frozen=True)
class Settings:
    """Shares are of all people, unless said otherwise; 0 leaves a thing out."""

    seed: int = 0  # another seed, other people
    skins: Path | None = None  # folder of textures in MakeHuman's UV layout; None draws skin tones
    backgrounds: Path | None = None  # folder of photographs and panoramas; None draws rooms
    wild: float = 0.6  # share seen by random cameras; the others by ones placed like Human3.6M's
    close: float = 0.15  # of those seen by random cameras: by a phone's wide lens, close up
    costumes: float = 0.35  # in a dress, coat, open jacket or wide trousers, or with a hat or bun
    company: float = 0.35  # with other people beside, behind or before them
    things: float = 0.35  # with things about: before and behind them, or at their hands
    seated: float = 0.9  # of those who sit: on something
    carried: float = 0.25  # with a bag, ball, stick or cup, or a pack on the back
    occluded: float = 0.15  # with something flat before them
    truncated: float = 0.15  # whom the picture's edge cuts
    shallow: float = 0.25  # before a background out of focus
    shaken: float = 0.12  # in a picture with motion blur
    dark: float = 0.12  # in little light
    toned: float = 0.4  # in another contrast, saturation and white point
    shared: float = 0.25  # in a shrunk and poorly saved file, as on the web
    # How poses vary beyond what was recorded, as in `datasets.variety`.
    postures: float = 0.0  # share of the draws that the rarer kinds of posture get together
    recombined: float = 0.0  # with limbs of somebody else
    turned: float = 0.0  # turned freely in space


SHARES = [field.name for field in fields(Settings) if field.type is float]


def changed(settings: Settings, changes: Sequence[str]) -> Settings:
    """The settings after changes "name=share"; InputError for what is no share of theirs."""
    for change in changes:
        name, _, text = change.partition("=")
        if name not in SHARES:
            raise InputError(f"--set {change}: no such share; there are {', '.join(SHARES)}")
        try:
            share = float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise InputError(f"--set {change}: a share is a number from 0 to 1")
        values = {field.name: getattr(settings, field.name) for field in fields(Settings)}
        settings = Settings(**values | {name: share})
    return settings
