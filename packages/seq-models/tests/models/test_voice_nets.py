"""The nets of voices: the causal detector of speech, and x-vectors."""

import torch
from torch.nn import functional as F

from torchworks.seq_models.models.voice_detector import VoiceDetector
from torchworks.seq_models.models.x_vector import AngularMargin, XVector
from torchworks.shared.testing import check_model


def detector() -> VoiceDetector:
    return VoiceDetector(8, channels=6, hidden_dim=5)


def vectors() -> XVector:
    return XVector(8, channels=6, embed_dim=4)


def test_the_detector_keeps_the_models_contract():
    torch.manual_seed(0)
    check_model(detector, torch.randn(3, 9, 8), shapes=(3, 9), export=False)  # its predictor's test exports it


def test_the_x_vector_keeps_the_models_contract():
    torch.manual_seed(0)
    check_model(vectors, torch.randn(3, 30, 8), shapes=(3, 4), export=False)


@torch.no_grad()
def test_the_detector_answers_piece_by_piece_as_for_the_whole_and_never_looks_ahead():
    torch.manual_seed(0)
    net, mel = detector().eval(), torch.randn(2, 20, 8)
    whole, state, parts = net(mel), net.beginning(2, mel), []
    for piece in mel.split([1, 7, 2, 10], 1):
        logits, state = net.advance(piece, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    torch.testing.assert_close(net(mel[:, :5]), whole[:, :5])


@torch.no_grad()
def test_padding_changes_no_vector_and_all_have_length_1():
    torch.manual_seed(0)
    net, mel = vectors().eval(), torch.randn(2, 30, 8)
    expected = net(mel[:1, :12])
    padded = F.pad(mel[:1, :12], (0, 0, 0, 9), value=-13.8)
    torch.testing.assert_close(net(padded, torch.tensor([12])), expected)
    torch.testing.assert_close(net(mel).norm(dim=1), torch.ones(2))


def test_the_margin_makes_the_right_speakers_angle_larger_and_no_others():
    torch.manual_seed(0)
    margin = AngularMargin(4, 3, margin=0.3, scale=10)
    e = F.normalize(torch.randn(2, 4), dim=1)
    angles = (e @ F.normalize(margin.weight, dim=1).t()).acos()
    found, speakers = (margin(e, torch.tensor([2, 0])) / 10).clamp(-1, 1).acos(), torch.tensor([2, 0])
    expected = angles + 0.3 * F.one_hot(speakers, 3)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
