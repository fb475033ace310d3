"""What a launch may be given, on every device: numbers of NumPy's, partials, methods."""

import numpy as np

import speedmetal as sm

SCALE = np.float64(0.5)
PAIR = (np.float64(2.0), 3)


class Settings:
    OFFSET = np.sqrt(np.float64(16.0))


def shifted(x, offset=np.float64(0.25)):  # noqa: B008 - a number, made once
    return x + offset


# Not through `launch`, which skips what a device lacks: here nothing may be lacking.


def test_captured_float64_numbers_of_numpy(device):
    @sm.kernel
    def combine(a, out):
        i = sm.thread_position_in_grid().x
        out[i] = shifted(a[i] * SCALE + PAIR[0] + Settings.OFFSET)

    a, out = sm.arange(4.0, device=device), sm.zeros(4, device=device)
    combine(a, out, grid=4)
    assert out.tolist() == [6.25, 6.75, 7.25, 7.75]


def test_float64_numbers_of_numpy_as_arguments(device):
    @sm.kernel
    def multiply(a, x, pair):
        i = sm.thread_position_in_grid().x
        a[i] = a[i] * x + pair[0] * pair[1]

    a = sm.arange(4.0, device=device)
    half, quarter = np.float64(0.5), np.float64(0.25)
    for x, y in ((half, 0.25), (0.5, quarter), (half, quarter)):
        multiply(a, x, (y, 4), grid=4)
    assert a.tolist() == [1.75, 1.875, 2.0, 2.125]
