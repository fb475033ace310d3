"""What a GPU's libraries do for arrays: the one way from arrays to NVIDIA's routines."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from speedmetal.backends.cuda.libraries.handles import Handles

if TYPE_CHECKING:
    from speedmetal.backends.cuda.libraries.compute import Compute
    from speedmetal.backends.cuda.libraries.products import Products
    from speedmetal.backends.cuda.libraries.solvers import Solvers
    from speedmetal.backends.cuda.libraries.transforms import Transforms


class Routines(Handles):
    """The libraries of one device, and what each is good for."""

    def forget_memory(self) -> None:
        """Let the memory go that is kept for what will be asked for later."""
        if "products" in self.__dict__:  # else they have not been asked for anything
            self.products.forget_room()

    @cached_property
    def products(self) -> Products:
        """Of matrices, by cuBLASLt."""
        from speedmetal.backends.cuda.libraries.products import Products

        return Products(self)

    @cached_property
    def transforms(self) -> Transforms:
        """Of Fourier, by cuFFT."""
        from speedmetal.backends.cuda.libraries.transforms import Transforms

        return Transforms(self)

    @cached_property
    def solvers(self) -> Solvers:
        """Decompositions of matrices, by cuSOLVER and cuBLAS."""
        from speedmetal.backends.cuda.libraries.solvers import Solvers

        return Solvers(self)

    @cached_property
    def compute(self) -> Compute:
        """Sorts and scans, by cuda.compute."""
        from speedmetal.backends.cuda.libraries.compute import Compute

        device = self.device
        return Compute(self, self.cuda, device.identity, device.architecture)
