"""What the package needs of the operating system: files kept between runs, stacks with room."""
