"""evaluate_lifting evaluate_photographs evaluate_pictures"""

from unihpe.evaluation.lifting import evaluate_lifting
from unihpe.evaluation.pictures import evaluate_photographs, evaluate_pictures

__all__ = ["evaluate_lifting", "evaluate_photographs", "evaluate_pictures"]
