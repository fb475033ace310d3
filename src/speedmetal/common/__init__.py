"""What every part of the package may use: cheap record classes, the names of the targets."""
