"""Measuring: clock, calibration, ceilings and statistics. Nothing here prints or exits."""
