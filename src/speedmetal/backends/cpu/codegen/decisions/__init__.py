"""What is decided about a kernel before anything is written."""
