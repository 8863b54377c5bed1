"""From evidence to poses: the answer, and the predictor round it."""
