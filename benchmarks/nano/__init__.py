"""nano, the model in the box: its world, its training and its examination (see README.md)."""
