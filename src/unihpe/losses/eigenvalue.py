"""The largest eigenvalue of the Gram matrix of three unit vectors, in closed form.

G = I + A, with the cosines a, b, c off the diagonal. det(λI − G) = s³ − p·s − 2abc with s = λ − 1
and p = a² + b² + c², so Viète's formula gives λ₁ = 1 + 2·√(p/3)·cos(φ/3), cos φ = 3√3·abc /
p^{3/2}.

Autograd through arccos is NaN at cos φ = 1, that is at every a = b = c > 0, perfect alignment
included; and float32 loses half its digits there. So φ is an atan2 of sums that cannot cancel, and
the gradient is written out.
"""

import math
from typing import Any, cast

import torch
from torch import Tensor

from unihpe.errors import InputError, one_line

THREE_ROOT_THREE = 3 * math.sqrt(3)


def largest_eigenvalue(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """λ₁ of [[1, a, b], [a, 1, c], [b, c, 1]], element by element; in [1, 3] for true cosines.

    The gradient is finite, and at most 1 in size, everywhere. Where λ₁ is a double eigenvalue (a =
    b = c < 0 up to two signs) it has no single gradient; the returned one is the mean over the
    eigenspace, a valid subgradient, as is 0 at a = b = c = 0. Broadcasts; float32 or float64.
    """
    try:
        cosines = torch.broadcast_tensors(a, b, c)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"cosines must be tensors whose shapes agree ({one_line(error)})"
        ) from error
    return cast(Tensor, _LargestEigenvalue.apply(*cosines))  # type: ignore[no-untyped-call]


class _LargestEigenvalue(torch.autograd.Function):
    """λ₁ with its own backward pass; keeps nothing but the three cosines."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, c)
        p, theta, _ = _angles(a, b, c)
        return 1 + 2 * (p / 3).sqrt() * theta.cos()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return tuple(gradients[0] * slope for slope in eigenvalue_gradient(*ctx.saved_tensors))


def _angles(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """p = a² + b² + c², θ = φ/3 in [0, π/3], and δ = π/3 − θ, which vanishes where λ₁ is double."""
    u, v, w = a * a, b * b, c * c
    p = u + v + w
    # p³ − 27·uvw as a sum of non-negative terms: no cancellation near a = b = c
    uneven = 0.5 * p * ((u - v) ** 2 + (v - w) ** 2 + (w - u) ** 2)
    uneven = uneven + 3 * (u * (v - w) ** 2 + v * (w - u) ** 2 + w * (u - v) ** 2)
    sine, cosine = uneven.sqrt(), THREE_ROOT_THREE * a * b * c
    return p, torch.atan2(sine, cosine) / 3, torch.atan2(sine, -cosine) / 3


def eigenvalue_gradient(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """∂λ₁/∂(a, b, c) = 2(a·s + b·c, b·s + a·c, c·s + a·b) / (3s² − p) with s = λ₁ − 1, which is
    twice v_i·v_j of the eigenvector."""
    p, theta, delta = _angles(a, b, c)
    s = 2 * (p / 3).sqrt() * theta.cos()
    # 3s² − p, factored so that it does not cancel where λ₁ is nearly double
    slope = 8 * p * (delta / 2).sin() * ((math.pi / 3 + theta) / 2).sin() * (theta.cos() + 0.5)
    small = 1e-6 if a.dtype == torch.float32 else 1e-14
    double = slope <= small * p + torch.finfo(a.dtype).tiny
    slope = torch.where(double, 1.0, slope)
    pairs = ((a, b * c), (b, a * c), (c, a * b))
    simple = [(2 * (x * s + rest) / slope).clamp(-1, 1) for x, rest in pairs]
    at_double = [x.sign() / 3 for x in (a, b, c)]
    return tuple(torch.where(double, x, y) for x, y in zip(at_double, simple, strict=True))
