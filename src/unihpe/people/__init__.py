"""Who is in a picture."""

from unihpe.people.find import Found, find

__all__ = ["Found", "find"]
