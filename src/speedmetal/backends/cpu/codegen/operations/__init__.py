"""Values in scalars and vectors, and what one instruction or a few do with them."""
