"""Targets: for each the printer, the build, the driver and the device."""
