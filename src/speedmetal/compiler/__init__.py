"""From a kernel's source to code on a device: the stages chained, keyed and kept."""
