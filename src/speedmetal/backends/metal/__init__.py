"""Apple GPUs: Metal Shading Language source."""
