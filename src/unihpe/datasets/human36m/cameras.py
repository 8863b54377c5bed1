"""Human3.6M's cameras: the published numbers, the same in the release's metadata.xml, and the lens.

The set's lens model has tangential terms of half OpenCV's size in one place, so its camera is a
class of its own.
"""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.datasets.recorded import rotation_of
from unihpe.errors import InputError, listing, one_line
from unihpe.io.files import read_text

# Camera name → (width, height, fx, fy, cx, cy), (k1, k2, k3, p_x, p_y); pixels. Shared by all
# subjects. Published with VideoPose3D (common/h36m_dataset.py); p_x multiplies x.
INTRINSICS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "54138969": (
        (1000, 1002, 1145.049438, 1143.781128, 512.5415039, 515.4514771),
        (-0.207098916173, 0.247775182128, -0.00307515030727, -0.000975698872935, -0.00142447161488),
    ),
    "55011271": (
        (1000, 1000, 1149.675659, 1147.591675, 508.8486328, 508.0649109),
        (-0.194213628769, 0.240408539772, 0.00681997556239, -0.00161902664695, -0.00274089444429),
    ),
    "58860488": (
        (1000, 1000, 1149.140747, 1148.79895, 519.8158569, 501.4026489),
        (-0.208338186145, 0.255488008261, -0.00246049743146, 0.00148438697215, -0.000759999325965),
    ),
    "60457274": (
        (1000, 1002, 1145.511353, 1144.773926, 514.9682007, 501.882019),
        (-0.198384091258, 0.218323677778, -0.00894780736417, -0.000587205577176, -0.0018133620033),
    ),
}
EXTRINSICS: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "S1": (
        (0.140705645, -0.150070176, -0.755240798, 0.622328043, 1841.1071, 4955.2847, 1563.4454),
        (0.615718782, -0.764836311, -0.148338258, 0.117947407, 1761.2786, -5078.0068, 1606.2650),
        (0.146514729, -0.146478519, 0.765302360, -0.609417558, -1846.7777, 5215.0464, 1491.9724),
        (0.583400846, -0.785316229, 0.145488232, -0.147495940, -1794.7897, -3722.6990, 1574.8927),
    ),
    "S5": (
        (0.146737725, -0.162370965, -0.755189300, 0.617893875, 2097.3916, 4880.9448, 1605.7324),
        (0.615975857, -0.762679219, -0.157281920, 0.118981503, 2031.7008, -5167.9331, 1612.9231),
        (0.142913714, -0.129078418, 0.767838478, -0.611014307, -1620.5948, 5171.6587, 1496.4370),
        (0.592047989, -0.781421781, 0.127474859, -0.150364175, -1637.1737, -3867.3174, 1547.0332),
    ),
    "S6": (
        (0.133789778, -0.156923965, -0.757109046, 0.619887948, 1935.4518, 4950.2456, 1618.0839),
        (0.614719748, -0.762881279, -0.161747679, 0.118192449, 1969.8040, -5128.7388, 1632.7788),
        (0.152994812, -0.135291308, 0.764609635, -0.611278117, -1769.5964, 5185.3613, 1476.9934),
        (0.591610134, -0.780477405, 0.128322706, -0.156159386, -1721.6687, -3884.1313, 1540.4879),
    ),
    "S7": (
        (0.143524185, -0.163133681, -0.754832864, 0.618882477, 1974.5129, 4926.3545, 1597.8326),
        (0.614167273, -0.763826251, -0.159664556, 0.117792994, 1937.0585, -5119.7900, 1631.5665),
        (0.145500600, -0.128748164, 0.766051650, -0.612713933, -1741.8112, 5208.2495, 1464.8246),
        (0.591284811, -0.782176435, 0.124454737, -0.151964873, -1734.7106, -3832.4214, 1548.5830),
    ),
    "S8": (
        (0.141105875, -0.155898675, -0.756191730, 0.619644046, 2150.6519, 4896.1611, 1611.9047),
        (0.616960168, -0.764766812, -0.148463503, 0.111581579, 2219.9656, -5148.4531, 1613.0441),
        (0.147144407, -0.133771196, 0.767012835, -0.610036969, -1571.2216, 5137.0186, 1498.1761),
        (0.592782438, -0.782587051, 0.121478163, -0.146319956, -1476.9133, -3896.7412, 1547.9722),
    ),
    "S9": (
        (0.155405879, -0.155482158, -0.753209531, 0.619959474, 2044.4585, 4935.1172, 1481.2275),
        (0.618784487, -0.763473511, -0.141322389, 0.119339682, 1990.9597, -5123.8105, 1568.8048),
        (0.133578271, -0.136710048, 0.768945456, -0.610073864, -1670.9922, 5211.9858, 1528.3879),
        (0.587939918, -0.782340705, 0.142761439, -0.147948697, -1696.0435, -3827.0999, 1591.4127),
    ),
    "S11": (
        (0.152324721, -0.154423207, -0.754756331, 0.619107008, 2098.4402, 4926.5547, 1500.2786),
        (0.618944943, -0.760091722, -0.153006330, 0.125525832, 2083.1824, -4912.1729, 1561.0786),
        (0.149432287, -0.156502277, 0.768123388, -0.602630436, -1609.8153, 5177.3359, 1537.8967),
        (0.589425147, -0.781887710, 0.139912114, -0.147153616, -1590.7380, -3854.1689, 1578.0176),
    ),
}

METADATA = "metadata.xml"
FILE_SUBJECTS = 11  # S1 to S11, also those without public poses
EXTRINSIC, INTRINSIC = 6, 9  # numbers of a camera in metadata.xml


@dataclass(frozen=True)
class Human36mCamera(Camera):
    """A camera with the set's own lens: OpenCV's, but tangential terms without the factor 2.

    With OpenCV's formula pixels would be up to 0.2 px off; this one gives the set's own 2D.
    """

    def project(self, points: Tensor) -> Tensor:
        """Camera points (..., J, 3) in mm to pixels (..., J, 2); NaN at or behind the camera."""
        depth = points[..., 2:]
        plane = points[..., :2] / torch.where(depth > 0, depth, torch.nan)
        return self.bent(plane) * self.focal[..., None, :] + self.centre[..., None, :]

    def unproject(self, pixels: Tensor, depth: Tensor) -> Tensor:
        """Pixels (..., J, 2) at depth (..., J) in mm back to camera points (..., J, 3), mm."""
        plane = (pixels - self.centre[..., None, :]) / self.focal[..., None, :]
        guess = plane
        for _ in range(20):
            guess = guess + plane - self.bent(guess)
        return torch.cat([guess, torch.ones_like(guess[..., :1])], dim=-1) * depth[..., None]

    def bent(self, plane: Tensor) -> Tensor:
        """The lens on image-plane points (..., J, 2)."""
        if self.distortion is None:
            return plane
        k1, k2, p_y, p_x, k3 = self.distortion[..., None, :].unbind(-1)
        x, y = plane.unbind(-1)
        r2 = x * x + y * y
        factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + p_x * x + p_y * y
        return torch.stack([x * factor + p_x * r2, y * factor + p_y * r2], dim=-1)


class Calibration(NamedTuple):
    """C cameras, and the row of each (subject, camera name)."""

    rows: Mapping[tuple[str, str], int]
    cameras: Human36mCamera

    def rows_of(self, keys: Sequence[tuple[Any, ...]], where: Path) -> Tensor:
        """The row of the camera that saw each (subject, sequence, camera name, …), (N,).

        Raises:
            InputError: for cameras without calibration, by name.
        """
        unknown = {f"{key[0]} {key[2]}" for key in keys if (key[0], key[2]) not in self.rows}
        if unknown:
            subjects = ", ".join(dict.fromkeys(subject for subject, _ in self.rows))
            raise InputError(
                f"{where}: no calibration of {listing(sorted(unknown))};"
                f" there are cameras of {subjects}"
            )
        return torch.tensor([self.rows[key[0], key[2]] for key in keys])


def published_cameras() -> Calibration:
    """The 28 published cameras."""
    keys = [(subject, name) for subject in EXTRINSICS for name in INTRINSICS]
    inner = [(*INTRINSICS[name][0], *INTRINSICS[name][1]) for _, name in keys]
    outer = [numbers for cameras in EXTRINSICS.values() for numbers in cameras]
    numbers, places = (torch.tensor(rows, dtype=torch.float64) for rows in (inner, outer))
    size, lens, p_xy = numbers.split([2, 7, 2], dim=1)
    rotation = rotation_of(places[:, :4]).mT  # published: camera to world
    cameras = camera_of(size, torch.cat([lens, p_xy.flip(1)], dim=1), rotation, places[:, 4:])
    return Calibration(dict(zip(keys, range(len(keys)), strict=True)), cameras)


def camera_of(size: Tensor, lens: Tensor, rotation: Tensor, place: Tensor) -> Human36mCamera:
    """C cameras; lens (C, 9): fx, fy, cx, cy, k1, k2, k3, p_y, p_x; place: centres (C, 3), mm."""
    focal, centre, k12, k3, tangential = lens.split([2, 2, 2, 1, 2], dim=1)
    translation = -(rotation @ place[..., None])[..., 0]
    distortion = torch.cat([k12, tangential, k3], dim=1)
    parts = (focal, centre, size, rotation, translation, distortion)
    return Human36mCamera(*(part.float() for part in parts))


def metadata_file(root: Path) -> Path | None:
    """metadata.xml in a folder; or the release's above it, where other things may bear the name."""
    own, above = root / METADATA, root.parent / METADATA
    if own.is_file():
        return own
    try:
        return above if above.is_file() and b"<dbcameras" in above.read_bytes() else None
    except OSError:
        return None


def read_metadata(path: Path) -> Calibration:
    """The cameras of all subjects in the release's metadata.xml.

    `w0` holds, camera by camera, each subject's six extrinsics (three angles, the centre in mm),
    then each camera's nine intrinsics.

    Raises:
        InputError: for a file that is not the release's.
    """
    names, numbers = names_and_numbers(path)
    count = len(names) * FILE_SUBJECTS
    outer, inner = numbers.split([count * EXTRINSIC, len(names) * INTRINSIC])
    outer = outer.view(count, EXTRINSIC)
    lens = inner.view(len(names), INTRINSIC).repeat_interleave(FILE_SUBJECTS, dim=0)
    sizes = torch.tensor([INTRINSICS[name][0][:2] for name in names], dtype=torch.float64)
    keys = [(f"S{n + 1}", name) for name in names for n in range(FILE_SUBJECTS)]
    size = sizes.repeat_interleave(FILE_SUBJECTS, dim=0)
    cameras = camera_of(size, lens, world_to_camera(outer[:, :3]), outer[:, 3:])
    return Calibration(dict(zip(keys, range(count), strict=True)), cameras)


def names_and_numbers(path: Path) -> tuple[list[str], Tensor]:
    """The names of the four cameras in the file's order, and the numbers of w0."""
    text = read_text(path, "get it from the set's site")
    if "<!ENTITY" in text:
        raise InputError(
            f"{path}: defines entities, which the release's file does not;"
            " get it from the set's site"
        )
    try:
        root = ElementTree.fromstring(text)
        names = [str(item.text).strip() for item in root.iterfind("dbcameras/index2id/*")]
        numbers = [float(word) for word in (root.findtext("w0") or "").strip().strip("[]").split()]
    except (ElementTree.ParseError, ValueError) as error:
        reason = one_line(error, 80)
        raise InputError(f"{path}: not the release's metadata.xml ({reason})") from error
    if not all(map(math.isfinite, numbers)):
        raise InputError(
            f"{path}: w0 holds numbers that are not finite; get the file again from the set's site"
        )
    wanted = len(INTRINSICS) * (FILE_SUBJECTS * EXTRINSIC + INTRINSIC)
    if sorted(names) != sorted(INTRINSICS) or len(numbers) != wanted:
        raise InputError(
            f"{path}: names {len(names)} cameras and has {len(numbers)} numbers in w0, expected the"
            f" set's {len(INTRINSICS)} and {wanted}; get it from the set's site"
        )
    return names, torch.tensor(numbers, dtype=torch.float64)


def world_to_camera(angles: Tensor) -> Tensor:
    """Rotations (N, 3, 3) of metadata.xml's angles (N, 3): about x times about y times about z."""
    x, y, z = angles.unbind(1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    about_x = (one, zero, zero, zero, x.cos(), -x.sin(), zero, x.sin(), x.cos())
    about_y = (y.cos(), zero, y.sin(), zero, one, zero, -y.sin(), zero, y.cos())
    about_z = (z.cos(), -z.sin(), zero, z.sin(), z.cos(), zero, zero, zero, one)
    turns = [torch.stack(turn, -1).view(-1, 3, 3) for turn in (about_x, about_y, about_z)]
    return turns[0] @ turns[1] @ turns[2]
