"""What is drawn before the background: dressed and lit people, one layer each."""

from typing import NamedTuple

import numpy as np

from unihpe.rendering.body import Body, BodyModel
from unihpe.rendering.clothes import Outfit
from unihpe.rendering.light import Light, View, shadow_map
from unihpe.rendering.paint import Surface, dress, shade
from unihpe.rendering.raster import Floats, Ints, compiled, normals_of, rasterise


class Layer(NamedTuple):
    """Somebody or something as the camera sees it, alone."""

    colour: Floats  # (H, W, 4), linear; the fourth is 1 where it is and 0 elsewhere
    depth: Floats  # inverse depth of its surface, (H, W), 0 where it is not
    points: Floats  # its corners, (V, 3), mm, world axes
    faces: Ints  # (F, 3)


def draw_figure(
    model: BodyModel,
    body: Body,
    outfit: Outfit,
    light: Light,
    view: View,
    size: tuple[int, int],  # width and height, pixels
    enlarge: float = 1.0,  # drawn pixels a pixel of the view
) -> Layer:
    """A body, dressed and lit, alone."""
    garments = model.garments
    normals = normals_of(body.points, model.faces)
    points, normals = dress(body.points, normals, garments.fields, outfit)
    drawn = garments.worn_faces(len(model.faces), outfit.skirt_rows, outfit.hair_rows)
    faces, closed = model.faces[drawn], len(model.faces) - len(garments.faces)
    screen = view.screen(points, enlarge)
    face_at, depth = rasterise(screen, faces, closed, *size)
    sun = shadow_map(points, faces, light)
    surface = Surface(model.faces, model.texture, screen, normals, *sun)
    colour = shade(face_at, drawn, surface, garments.fields, outfit, light.rows)
    return Layer(colour, depth, points, faces)


def hidden_share(main: Floats, nearest: Floats, depth: Floats) -> float:
    """How much of somebody's surface is behind others: inverse depths (H, W), 0 is nothing.

    `nearest` is what stands about already, `depth` what is to be added.
    """
    own = main > 0
    hidden = own & (np.maximum(nearest, depth) > main)
    return float(hidden.sum()) / max(1, int(own.sum()))


@compiled
def lay_over(colour: Floats, nearest: Floats, other: Floats, depth: Floats) -> None:
    """Puts a layer, `other` (H, W, 4) and `depth` (H, W), into `colour` and `nearest`, in place."""
    for row in range(nearest.shape[0]):
        for column in range(nearest.shape[1]):
            if depth[row, column] > nearest[row, column]:
                nearest[row, column] = depth[row, column]
                for k in range(4):
                    colour[row, column, k] = other[row, column, k]
