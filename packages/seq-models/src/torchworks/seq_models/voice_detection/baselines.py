"""Baselines of voice detection, without a net.

- `energy`: the loudness of each frame against a threshold.
- `classical`: a logistic regression of what hand-made detectors look at (as Moattar & Homayounpour 2009, "A Simple but
  Efficient Real-Time Voice Activity Detection Algorithm": energy over an adaptive floor, spectral flatness, dominant
  frequency), of each frame and of the mean of the last 0.2 s. Nothing looks ahead, as the net does not.

Thresholds are the best ones of the training frames. Shape letters: N sounds, T frames, M mel channels.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from torchworks.seq_models.voice_detection.metrics import auroc, best_threshold, error

PAST, SMOOTH = 150, 20
"""Frames that the floor is taken of, and that are averaged."""
LEARNED = 200_000
"""Training frames, at most."""


def baselines(
    train: np.ndarray, train_speech: np.ndarray, test: np.ndarray, test_speech: np.ndarray
) -> dict[str, float]:
    """AUROC and error of both, from log-mel frames (N, T, M) and speech (N, T)."""
    from sklearn.linear_model import LogisticRegression

    known, asked = train_speech >= 0, test_speech >= 0
    learned, wanted = train_speech[known], test_speech[asked]
    features, tested = described(train)[known], described(test)[asked]
    step = -(-len(features) // LEARNED)
    middle, scale = features.mean(0), features.std(0) + 1e-6
    model = LogisticRegression(max_iter=200).fit((features[::step] - middle) / scale, learned[::step] > 0.5)
    scores = {
        "energy": (features[:, 0], tested[:, 0]),
        "classical": tuple(model.decision_function((each - middle) / scale) for each in (features, tested)),
    }
    found: dict[str, float] = {"error_always_silence": float((wanted > 0.5).mean())}
    for name, (seen, new) in scores.items():
        found[f"auroc_{name}"] = auroc(new, wanted)
        found[f"error_{name}"] = error(new, wanted, best_threshold(seen, learned))
    return found


def described(mel: np.ndarray) -> np.ndarray:
    """(N, T, 8): loudness, loudness over the floor, flatness and place of the loudest channel, each frame's and the
    mean of the last ones'."""
    loudest = mel.max(2, keepdims=True)
    loudness = (np.log(np.exp(mel - loudest).mean(2)) + loudest[..., 0]).astype(np.float32)
    floor = np.minimum.accumulate(loudness[:, :1], 1)
    padded = np.concatenate([np.repeat(floor, PAST - 1, 1), loudness], 1)
    floor = sliding_window_view(padded, PAST, 1).min(2)
    flatness = mel.mean(2) - loudness
    frames = np.stack([loudness, loudness - floor, flatness, mel.argmax(2) / mel.shape[2]], 2)
    sums = np.cumsum(np.concatenate([np.repeat(frames[:, :1], SMOOTH, 1), frames], 1, dtype=np.float64), 1)
    smooth = (sums[:, SMOOTH:] - sums[:, :-SMOOTH]) / SMOOTH
    return np.concatenate([frames, smooth.astype(np.float32)], 2)
