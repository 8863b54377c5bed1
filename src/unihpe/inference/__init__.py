"""From evidence to poses: the answer, the predictor round it, people's files in."""
