"""Who is in a picture, and where their joints are."""

from unihpe.people.find import Found, find, keypoints_in
from unihpe.people.keypoints import people_in
from unihpe.people.label import agreed_keypoints

__all__ = ["Found", "agreed_keypoints", "find", "keypoints_in", "people_in"]
