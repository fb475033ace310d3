"""Linear algebra: ``sm.linalg``, with the names of the array API's extension and some of NumPy's.

Products are lazy, and NumPy's BLAS multiplies where the device shares its memory with the host.
Decompositions are NumPy's LAPACK, computed when the function is called; stacks of small matrices
are spread over the cores. On NVIDIA GPUs both are done by NVIDIA's libraries where these are
installed.
"""

from speedmetal.arrays.algebra.decompositions import (
    EighResult,
    EigResult,
    LstsqResult,
    QRResult,
    SlogdetResult,
    SVDResult,
    cholesky,
    det,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    expm,
    inv,
    lstsq,
    matrix_rank,
    pinv,
    qr,
    slogdet,
    solve,
    svd,
    svdvals,
)
from speedmetal.arrays.algebra.lapack import LinAlgError
from speedmetal.arrays.algebra.norms import (
    cross,
    diagonal,
    matrix_norm,
    matrix_power,
    norm,
    outer,
    trace,
    vector_norm,
)
from speedmetal.arrays.algebra.products import matmul, matrix_transpose, tensordot, vecdot

__all__ = [
    "EigResult",
    "EighResult",
    "LinAlgError",
    "LstsqResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
