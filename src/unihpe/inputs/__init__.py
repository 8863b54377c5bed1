"""What people hand in: keypoint files, boxes, pictures, arrays; read and checked."""
