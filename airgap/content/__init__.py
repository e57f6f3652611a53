"""Places that hold images, seen as one kind of thing, and the one graph copy between them."""
