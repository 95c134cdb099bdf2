#!/usr/bin/env bash
# A recommender of implicit that is fitted again starts where the last fit ended, on whatever data that was.
#
# Versions: implicit 0.7.3, numpy 2.4.6, scipy 1.17.1, Python 3.11.
# Expected: fit(matrix) makes a model of this matrix, as in scikit-learn: with a fixed random_state it is the same
#           whether the object was fitted before or not. Its documentation says that factors are
#           initialized with a latent factor model of the input data.
# Seen:     the factors of the last fit are the start of the next one. Alternating least squares fitted twice for five
#           iterations is exactly the model of ten, and one that was fitted to another matrix of the same shape first
#           keeps something of that matrix: in a loop over folds or settings with one object, each fold begins with
#           what was learned from the others' data, its own test part among them.
#           Distances are shares of the length of the matrix of scores.
# Output:   five iterations twice: 0.0000 from ten iterations, 0.2772 from five
#           fitted to other data before: 0.4831 from a new object
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    implicit==0.7.3 numpy==2.4.6 scipy==1.17.1
cd "$folder"
OPENBLAS_NUM_THREADS=1 venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

chance = np.random.default_rng(0)
first, second = (csr_matrix((chance.random((50, 40)) < 0.2).astype(np.float32)) for _ in range(2))


def fitted(iterations, *matrices):
    net = AlternatingLeastSquares(factors=8, iterations=iterations, random_state=1, num_threads=1)
    for matrix in matrices:
        net.fit(matrix, show_progress=False)
    return np.array(net.user_factors) @ np.array(net.item_factors).T


def apart(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


five, ten, twice = fitted(5, second), fitted(10, second), fitted(5, second, second)
print(f"five iterations twice: {apart(twice, ten):.4f} from ten iterations, {apart(twice, five):.4f} from five")
other = apart(fitted(5, first, second), five)
print(f"fitted to other data before: {other:.4f} from a new object")
assert apart(twice, ten) < 1e-4 < 0.1 < apart(twice, five), "the behavior has changed"
assert other > 0.1, "the behavior has changed"
PYTHON
