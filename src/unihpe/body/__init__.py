"""People as numbers: joints, cameras, boxes, batches, errors."""
