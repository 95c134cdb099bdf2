"""Baselines of speaker verification, without a net.

- `mfcc`: the cosine of the means of cepstral coefficients over time.
- `lda`: the cosine of means and deviations of these after linear discriminant analysis, learned from the training
  voices: what was done before nets, in small.

Chance has an equal error rate of 50 %. Shape letters: N recordings, T frames, M mel channels.
"""

import numpy as np

from torchworks.seq_models.verification.metrics import equal_error, pair_scores, unit

COEFFICIENTS = 20
KEPT = 24
"""Directions of the discriminant analysis, at most."""


def baselines(
    train: np.ndarray, train_speakers: np.ndarray, test: np.ndarray, test_speakers: np.ndarray
) -> dict[str, float]:
    """Equal error rates of the pairs of the test recordings, from log-mel frames (N, T, M)."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    known, asked = cepstra(train), cepstra(test)
    middle = known[:, : COEFFICIENTS - 1].mean(0)
    found = {"equal_error_mfcc": asked[:, : COEFFICIENTS - 1] - middle}
    directions = min(KEPT, known.shape[1], len(np.unique(train_speakers)) - 1)
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1, n_components=directions)
    found["equal_error_lda"] = model.fit(known, train_speakers).transform(asked)
    scored = {name: equal_error(*pair_scores(unit(vectors), test_speakers))[0] for name, vectors in found.items()}
    return {"equal_error_chance": 0.5, **scored}


def cepstra(mel: np.ndarray) -> np.ndarray:
    """Means and standard deviations over time of the cepstral coefficients 1 to 19, (N, 38); the level is left out."""
    from scipy.fft import dct

    coefficients = dct(mel, axis=2, norm="ortho")[:, :, 1:COEFFICIENTS]
    return np.concatenate([coefficients.mean(1), coefficients.std(1)], 1)
