"""Arrays: memory of a device with a shape and a dtype, and the functions on them."""
