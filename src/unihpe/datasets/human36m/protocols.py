"""The protocols that Human3.6M is scored by (docs/protocols.md)."""

from dataclasses import replace

from unihpe.datasets.human36m.views import DRIFTING, second_take
from unihpe.datasets.protocol import FOURTEEN, Protocol

BROKEN = (("S11", "Directions"),)
BROKEN_WHY = "a video of it is broken, as in VideoPose3D"
CHALLENGE_CAMERA = ("60457274",)

VIDEOPOSE3D = Protocol(
    "videopose3d",
    "protocols 1 (MPJPE), 2 (PA) and 3 (N) of Martinez et al. and VideoPose3D, whose numbers use"
    " the flip test; the paper's lifting rows of table 1 stand beside these",
    without=BROKEN,
    why=BROKEN_WHY,
    flip=True,
)
WITHOUT_DRIFT = Protocol(
    "videopose3d-without-drift",
    "the same without the three sequences of S9 whose 3D drifts, as learnable triangulation,"
    " MotionBERT and HybrIK leave them out",
    without=(*BROKEN, *DRIFTING),
    why=f"{BROKEN_WHY}; S9's 3D drifts there",
    flip=True,
)
EVERY_64TH = Protocol(
    "every-64th",
    "integral regression's and 3DMPPE's 'protocol 2': every 64th frame of 50 Hz, all poses alike",
    stride=64,
    averaging="poses",
)
EVERY_5TH = Protocol(
    "every-5th",
    "17 joints, all cameras, every 5th frame of 50 Hz: what we recommend for models that look at"
    " pictures",
    stride=5,
    averaging="poses",
    without=BROKEN,
    why=BROKEN_WHY,
)
SPIN_P1 = Protocol(
    "spin-p1",
    "SPIN's protocol 1: 14 joints, pelvis root, every 5th frame; SMPL papers quote MPJPE from it,"
    " and so does table 1's image half",
    FOURTEEN,
    stride=5,
    averaging="poses",
)
SPIN_P2 = replace(
    SPIN_P1,
    name="spin-p2",
    about="SPIN's protocol 2: protocol 1 on the frontal camera, both takes; SMPL papers quote"
    " PA-MPJPE from it",
    cameras=CHALLENGE_CAMERA,
)
HMR_P1 = replace(
    SPIN_P1,
    name="hmr-p1",
    about="HMR's protocol 1: 14 joints, mid-hip root, every 5th frame; HMR's own joints come from"
    " mocap, SMPL papers' from a regressor",
    root="mid_hip",
    without=(("S11", "Directions", "54138969"),),
    why="its video is broken",
)
HMR_P2 = replace(
    SPIN_P2,
    name="hmr-p2",
    about="HMR's protocol 2: protocol 1 on the frontal camera, first takes only",
    root="mid_hip",
    condition=lambda view: not second_take(view),
    condition_words="first takes only",
)
PROTOCOLS = (VIDEOPOSE3D, WITHOUT_DRIFT, EVERY_64TH, EVERY_5TH, HMR_P1, HMR_P2, SPIN_P1, SPIN_P2)
