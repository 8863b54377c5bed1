"""People as numbers: joints, cameras, boxes, batches, metrics."""
