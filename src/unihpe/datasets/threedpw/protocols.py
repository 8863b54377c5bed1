"""The protocols that 3DPW is scored by, SMPL papers' 14 joints first (docs/protocols.md)."""

from unihpe.datasets.protocol import FOURTEEN, LIMBS, Figure, Protocol

# The 14 joints are `LSP_14`: hips, knees, ankles, shoulders, elbows, wrists, neck and top of the
# head, regressed from SMPL's surface (threedpw/regressed.py).
SMPL_14 = Protocol(
    "smpl-14",
    "the standard of SMPL papers: 14 joints regressed from SMPL's surface, pelvis root, test split",
    FOURTEEN,
    averaging="poses",
    joints_from="human36m17",
)
ZEDO_17 = Protocol(
    "zedo-17",
    "ZeDO's, the likely source of the paper's 3DPW rows: 17 regressed joints, 2D projected from"
    " them, every 35th sample of its file (here all), PA with reflections allowed, which is equal"
    " or lower than without",
    (Figure("MPJPE"), Figure("PA-MPJPE, reflections allowed"), Figure("PA-MPJPE")),
    averaging="poses",
    joints_from="human36m17",
)
OVER_LIMBS = Protocol(
    "limbs",
    "jointPositions, SMPL's own joints, 12 limb joints: hips and shoulders lie elsewhere than in"
    " any table: not comparable",
    (Figure("MPJPE", LIMBS), Figure("PA-MPJPE", LIMBS)),
    averaging="poses",
)
PROTOCOLS = (SMPL_14, ZEDO_17, OVER_LIMBS)
