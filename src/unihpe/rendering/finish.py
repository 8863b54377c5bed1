"""What a camera and a file make of light: exposure, tone, blur, grain, few pixels, JPEG.

Pictures are (H, W, 3); linear light until `finish` has exposed it, then sRGB.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.rendering.light import GAMMA
from unihpe.rendering.raster import Bytes, Doubles, Floats

CROP = (CROP_WIDTH, CROP_HEIGHT)
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Faults:
    """Which of a photograph's faults a picture has."""

    shaken: bool = False  # motion blur
    dark: bool = False  # little light: grain in all colours, and a lamp's tint
    toned: bool = False  # another contrast, saturation and white point
    shared: bool = False  # shrunk, sharpened and saved poorly, as on the web


def draw_faults(shaken: float, dark: float, toned: float, shared: float, rng: Generator) -> Faults:
    """Faults of these shares, independent of one another."""
    return Faults(
        *(
            bool(draw < share)
            for draw, share in zip(rng.random(4), (shaken, dark, toned, shared), strict=True)
        )
    )


def finish(picture: Floats, box: Doubles, faults: Faults, rng: Generator, more: Generator) -> Bytes:
    """A picture, linear, as a real camera and file have it, sRGB.

    `rng` draws what all pictures have, `more` what faults add.
    """
    if faults.shaken:
        picture = _shaken(picture, more)
    exposure = float(np.clip(rng.uniform(0.13, 0.32) / max(float(picture.mean()), 1e-3), 0.6, 3.0))
    gain = (exposure * rng.normal(1, 0.03, 3)).astype(np.float32)
    gamma = rng.uniform(0.85, 1.15) / GAMMA
    if faults.dark:
        picture, gain = _dark(picture * gain, more), np.ones(3, np.float32)
    out = np.asarray(cv2.pow(np.clip(picture * gain, 0, 1), gamma)) * np.float32(255)
    if faults.toned:
        out = _toned(out, more)
    share = float(box[3]) / CROP_HEIGHT
    if share < 1:  # the full picture has fewer pixels than the crop
        out = _with_pixels(out, share, cv2.INTER_LINEAR)
    if (blur := rng.uniform(-0.6, 0.9)) > 0.2:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), blur))
    grain = max(0.0, rng.uniform(-3, 7))
    out = out + rng.standard_normal((CROP_HEIGHT, CROP_WIDTH, 1), np.float32) * grain
    if faults.shared:
        return _shared(out, more)
    whole = _whole(out)
    return whole if rng.random() >= 0.5 else _through_jpeg(whole, int(rng.integers(40, 95)))


def _whole(picture: Floats) -> Bytes:
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8))


def _through_jpeg(picture: Bytes, quality: int) -> Bytes:
    file = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), dtype=np.uint8)


def _with_pixels(picture: Floats, share: float, method: int) -> Floats:
    """The picture with this share of its pixels along each side, and back at its size."""
    size = (max(24, int(CROP_WIDTH * share)), max(32, int(CROP_HEIGHT * share)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, CROP, interpolation=method))


def _shaken(picture: Floats, rng: Generator) -> Floats:
    """Blurred along a line of 2 to 9 pixels; its middle stays where it is."""
    half, angle = rng.uniform(1.0, 4.5), rng.uniform(0, np.pi)
    x, y = (round(16 * half * float(part)) for part in (np.cos(angle), np.sin(angle)))
    kernel = np.zeros((17, 17), np.float32)
    cv2.line(kernel, (128 - x, 128 - y), (128 + x, 128 + y), 1.0, 1, cv2.LINE_AA, 4)
    kernel += kernel[::-1, ::-1]
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()))


def _dark(picture: Floats, rng: Generator) -> Floats:
    """Exposed picture, linear, as in little light: darker, noisy, and tinted by a lamp."""
    level = 2.0 ** rng.uniform(-3.0, -0.5)
    lamp = np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.4, 1.1)], np.float32)
    shot = rng.standard_normal(picture.shape, np.float32)
    noise = rng.uniform(0.003, 0.03)
    lit = picture * lamp * np.float32(level)
    lit = lit + shot * np.sqrt(np.maximum(lit, 0) * noise + noise * noise * 0.1).astype(np.float32)
    if rng.random() < 0.5:  # a camera that takes the noise away, and detail with it
        lit = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.6, 1.3))
    gain = rng.uniform(1.0, 1.0 / level) ** 0.8  # it may brighten what it has
    return np.asarray(np.maximum(lit * np.float32(gain), 0), dtype=np.float32)


def _toned(picture: Floats, rng: Generator) -> Floats:
    """sRGB with another saturation, contrast and white point, as cameras and people develop it."""
    grey = (picture @ LUMA)[..., None]
    out = grey + (picture - grey) * np.float32(
        rng.choice([rng.uniform(0.0, 0.8), rng.uniform(1.0, 1.7)])
    )
    white = rng.uniform(0.82, 1.18, 3) if rng.random() < 0.6 else np.ones(3)
    middle, contrast = rng.uniform(90, 150), rng.uniform(0.7, 1.6)
    out = (out * white.astype(np.float32) - middle) * np.float32(contrast) + middle
    return np.asarray(out + np.float32(rng.uniform(-15, 30)))


def _shared(picture: Floats, rng: Generator) -> Bytes:
    """Shrunk, enlarged again, sharpened, and saved poorly, once or twice."""
    method = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    out = np.clip(_with_pixels(picture, rng.uniform(0.3, 1.0), method), 0, 255)
    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.8, 1.6))
        out = out + (out - soft) * np.float32(rng.uniform(0.3, 1.5))
    whole = _whole(out)
    for _ in range(rng.integers(1, 3)):
        whole = _through_jpeg(whole, int(rng.integers(15, 75)))
    return whole


def out_of_focus(background: Floats, rng: Generator) -> Floats:
    """A background, linear, behind the distance that the lens is set to."""
    return np.asarray(cv2.GaussianBlur(background, (0, 0), float(np.exp(rng.uniform(0.0, 2.1)))))
