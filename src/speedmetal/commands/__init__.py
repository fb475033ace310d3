"""What the command line does with kernels: a module for each command."""
