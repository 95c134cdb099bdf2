"""The autoencoder of face swaps, and Meso-4: the contract, and what the papers say of them."""

import torch

from torchworks.gans import Meso4, SharedEncoderAutoencoder
from torchworks.shared.testing import check_model


def net() -> SharedEncoderAutoencoder:
    return SharedEncoderAutoencoder(32, width=4, latent_dim=6)


def test_the_autoencoder_keeps_the_contract():
    check_model(net, (torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)), shapes=[(2, 3, 32, 32)] * 2, export=False)


def test_both_persons_share_the_encoder_and_have_a_decoder_each():
    torch.manual_seed(0)
    model, x = net(), torch.rand(3, 3, 32, 32)
    _, b = model(x, x)
    b.sum().backward()
    touched = {name.partition(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert touched == {"encoder", "decoder_b"}


def test_a_swap_is_the_others_decoder_on_the_same_code():
    torch.manual_seed(0)
    model, x = net(), torch.rand(3, 3, 32, 32)
    code = model.encoder(x)
    swapped = model.swap(x, torch.tensor([0, 1, 1]))
    torch.testing.assert_close(swapped, torch.cat([model.decoder_a(code[:1]), model.decoder_b(code[1:])]))
    torch.testing.assert_close(swapped[1:], model(x[:1], x[1:])[1])


def test_an_untrained_net_does_not_lose_the_image_on_the_way():
    torch.manual_seed(0)
    codes = SharedEncoderAutoencoder(64).encoder[:13](torch.rand(8, 3, 64, 64))
    assert 0.02 < codes.std(0).mean() < 5


def test_meso4_keeps_the_contract():
    check_model(lambda: Meso4(64, width=4), torch.rand(3, 3, 64, 64), shapes=(3,))


def test_meso4_has_the_papers_number_of_parameters():
    assert sum(p.numel() for p in Meso4(256).parameters()) == 27_977
