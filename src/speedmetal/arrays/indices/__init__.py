"""Elements chosen by index arrays and masks: finding, reading and writing them."""
