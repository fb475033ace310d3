"""The benchmark: frameworks side by side on one machine, where no number is given without proof."""
