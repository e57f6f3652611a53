"""One module a verb: a typed request in, events out, a typed report back."""
