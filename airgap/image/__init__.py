"""What is inside an image: layer tars, the merged file system, and new layers and configs."""
