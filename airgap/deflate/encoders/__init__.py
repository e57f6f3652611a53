"""What each family of encoders would write next: one module an encoder, re-enacted."""
