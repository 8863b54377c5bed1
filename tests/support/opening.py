"""Sets opened as the package opens them: by name, through the table of data sets."""

from unihpe.datasets import get_data_set
from unihpe.datasets.dataset import Reading
from unihpe.datasets.pictures import Pictures


def open_recorded(name, root, keypoints, split, stride=1, truth=None, joints=""):
    reading = Reading(keypoints, split, truth=truth, joints=joints)
    return get_data_set(name).recording.open(root, reading, stride)


def pictures_of(name, root):
    return Pictures(get_data_set(name).with_pictures(), root)
