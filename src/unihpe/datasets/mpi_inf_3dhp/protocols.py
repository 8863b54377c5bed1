"""The protocols that MPI-INF-3DHP is scored by (docs/protocols.md)."""

from unihpe.datasets.protocol import LIMBS, Figure, Protocol

OFFICIAL_JOINTS = (*LIMBS, "neck", "head_top")

OFFICIAL = Protocol(
    "official",
    "the test code of the set: 3DPCK and AUC over 14 joints, MPJPE over all with the root, poses of"
    " one height (univ_annot3)",
    (Figure("3DPCK@150", OFFICIAL_JOINTS), Figure("AUC", OFFICIAL_JOINTS), Figure("MPJPE")),
    averaging="poses",
    truth="univ_annot3",
    joints_from="mpi_inf_3dhp17",
)
ALL_JOINTS = Protocol(
    "all-joints",
    "metric poses (annot3), every joint: as ZeDO and MMPose average",
    (Figure("3DPCK@150"), Figure("AUC"), Figure("MPJPE"), Figure("PA-MPJPE")),
    averaging="poses",
    truth="annot3",
)
OVER_LIMBS = Protocol(
    "limbs",
    "metric poses, the 12 limb joints that every set has: for models trained on another set's"
    " joints; compares with no table",
    tuple(Figure(figure.metric, LIMBS) for figure in ALL_JOINTS.figures),
    averaging="poses",
    truth="annot3",
)
PROTOCOLS = (OFFICIAL, ALL_JOINTS, OVER_LIMBS)
