"""Libraries that follow the array API standard work with arrays, and give arrays back.

They choose it when they are imported, by an environment variable; so they have their own process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.tier("default")

PREPARE = """
import json
import numpy as np
import speedmetal as sm

rng = np.random.default_rng(0)
host = rng.standard_normal((60, 5)).astype(np.float32)
classes = (host[:, 0] > 0).astype(np.int32)
told = {}

def compare(name, call):
    ours, theirs = call(sm.array(host), sm.array(classes)), call(host, classes)
    told[name] = [type(ours).__name__, bool(np.allclose(np.asarray(ours), theirs, atol=1e-4))]
"""
SCIPY = """
from scipy import fft, ndimage, special, stats

compare("zscore", lambda x, y: stats.zscore(x))
compare("skew", lambda x, y: stats.skew(x))
compare("logsumexp", lambda x, y: special.logsumexp(x, axis=1))
compare("expit", lambda x, y: special.expit(x))
compare("fft", lambda x, y: fft.fft(x))
compare("gaussian_filter", lambda x, y: ndimage.gaussian_filter(x, 1.0))
"""
SKLEARN = """
import sklearn
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

sklearn.set_config(array_api_dispatch=True)
compare("scale", lambda x, y: StandardScaler().fit_transform(x))
compare("pca", lambda x, y: PCA(2, svd_solver="full").fit_transform(x))
compare("ridge", lambda x, y: Ridge(solver="svd").fit(x, x[:, 0]).predict(x))
compare("discriminant", lambda x, y: LinearDiscriminantAnalysis().fit(x, y).predict(x))
"""


@pytest.mark.parametrize(
    ("module", "version", "program"), [("scipy", "1.15", SCIPY), ("sklearn", "1.6", SKLEARN)]
)
def test_a_library_carries_arrays(module: str, version: str, program: str) -> None:
    pytest.importorskip(module, minversion=version)
    script = f"{PREPARE}{program}print(json.dumps(told))"
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told
    assert {name: found for name, found in told.items() if found != ["Array", True]} == {}
