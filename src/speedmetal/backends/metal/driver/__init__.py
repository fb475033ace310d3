"""Metal through PyObjC, or through its simulated stand-in."""
