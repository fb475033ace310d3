"""What a launch may be given, on every device: numbers of NumPy's, partials, methods."""

import numpy as np

import speedmetal as sm

SCALE = np.float64(0.5)
PAIR = (np.float64(2.0), 3)


class Settings:
    OFFSET = np.sqrt(np.float64(16.0))


def shifted(x, offset=np.float64(0.25)):  # noqa: B008 - a number, made once
    return x + offset


def test_captured_float64_numbers_of_numpy(launch):
    @sm.kernel
    def combine(a, out):
        i = sm.thread_position_in_grid().x
        out[i] = shifted(a[i] * SCALE + PAIR[0] + Settings.OFFSET)

    a, out = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
    launch(combine, a, out, grid=4)
    assert out.tolist() == [6.25, 6.75, 7.25, 7.75]


def test_float64_numbers_of_numpy_as_arguments(launch):
    @sm.kernel
    def multiply(a, x, pair):
        i = sm.thread_position_in_grid().x
        a[i] = a[i] * x + pair[0] * pair[1]

    a = np.arange(4, dtype=np.float32)
    for x, y in (
        (np.float64(0.5), 0.25),
        (0.5, np.float64(0.25)),
        (np.float64(0.5), np.float64(0.25)),
    ):
        launch(multiply, a, x, (y, 4), grid=4)
    assert a.tolist() == [1.75, 1.875, 2.0, 2.125]
