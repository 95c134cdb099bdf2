"""Vision Transformer: equal to torchvision's, and what the options promise."""

from dataclasses import replace

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.vision_transformer import interpolate_embeddings

from torchworks.cnn_vision.models.backbone import Level
from torchworks.cnn_vision.models.vit import (
    SMALL_IMAGES,
    SelfAttention,
    VisionTransformer,
    ViTSize,
    adapt_state,
    rename_old_keys,
    resize_positions,
    vit_b_16,
)
from torchworks.shared.testing import check_model, check_parity, randomize

MICRO = ViTSize(patch_size=8, depth=2, embed_dim=16, mlp_dim=32, num_heads=4, image_size=32)


def micro(**options) -> VisionTransformer:
    return VisionTransformer(MICRO, **{"num_classes": 5} | options)


def torchvisions_micro() -> nn.Module:
    return torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=16, mlp_dim=32, num_classes=5
    )


def test_outputs_and_gradients_of_a_small_net_are_torchvisions():
    check_parity(micro(), randomize(torchvisions_micro()), torch.randn(2, 3, 32, 32))


def test_initial_weights_are_distributed_as_torchvisions():
    size = ViTSize(patch_size=16, depth=1, embed_dim=192, mlp_dim=768, num_heads=3, image_size=224)
    torch.manual_seed(0)
    ours = VisionTransformer(size, num_classes=5).state_dict()
    theirs = torchvision.models.VisionTransformer(
        image_size=224, patch_size=16, num_layers=1, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=5
    ).state_dict()
    for key, value in theirs.items():
        assert ours[key].std() == pytest.approx(value.std().item(), rel=0.2, abs=1e-9), key
        assert ours[key].mean() == pytest.approx(value.mean().item(), abs=0.3 * value.std().item() + 1e-9), key


def test_attention_is_the_formula_and_pytorchs_module():
    ours, theirs = SelfAttention(16, 4, 0.0).double(), nn.MultiheadAttention(16, 4, batch_first=True).double()
    ours.load_state_dict(randomize(theirs).state_dict())
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    q, k, v = (x @ theirs.in_proj_weight.T + theirs.in_proj_bias).chunk(3, dim=-1)
    heads = []
    for head in range(4):
        q_h, k_h, v_h = (part[..., 4 * head : 4 * head + 4] for part in (q, k, v))
        heads.append((q_h @ k_h.transpose(1, 2) / 4**0.5).softmax(-1) @ v_h)
    torch.testing.assert_close(ours(x), theirs.out_proj(torch.cat(heads, -1)))
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0])


@pytest.mark.parametrize("pool", ["token", "mean"])
def test_small_images_keep_the_contract_of_models(pool: str):
    size = replace(SMALL_IMAGES, depth=2)
    check_model(
        lambda: VisionTransformer(size, in_channels=1, num_classes=10, image_size=8, pool=pool),
        torch.randn(4, 1, 8, 8),
        shapes=(4, 10),
    )


def test_small_images_keep_the_names_of_the_layers():
    with torch.device("meta"):
        large, small = vit_b_16().state_dict(), vit_b_16(small_images=True).state_dict()
    assert small.keys() == {key for key in large if not any(f"layer_{index}." in key for index in range(6, 12))}
    assert sum(value.numel() for value in small.values()) < 3e6


def test_in_channels_change_the_first_convolution_only():
    with torch.device("meta"):
        plain, other = vit_b_16().state_dict(), vit_b_16(in_channels=1).state_dict()
    assert [key for key in plain if plain[key].shape != other[key].shape] == ["conv_proj.weight"]


def test_positions_are_interpolated_as_torchvisions():
    positions = torch.randn(1, 17, 16)
    theirs = interpolate_embeddings(64, 8, {"encoder.pos_embedding": positions})["encoder.pos_embedding"]
    torch.testing.assert_close(resize_positions(positions, (8, 8)), theirs)
    assert resize_positions(positions, (4, 4)) is positions


def test_an_image_of_another_size_gets_the_positions_that_loading_into_that_size_gives():
    small, x = randomize(micro()).eval(), torch.randn(2, 3, 64, 64)
    large = micro(image_size=64).eval()
    large.load_state_dict(adapt_state(small.state_dict(), large))
    torch.testing.assert_close(small(x), large(x))


def test_images_need_not_be_square():
    features = micro().eval().forward_features(torch.randn(2, 3, 16, 48))
    assert features.shape == (2, 16, 2, 6)


def test_a_size_that_patches_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="image_size 100 does not divide into patches of 16 pixels"):
        vit_b_16(image_size=100)


def test_published_files_with_the_old_names_load():
    net = randomize(micro())
    old = {
        k.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): v
        for k, v in net.state_dict().items()
    }
    assert old.keys() != net.state_dict().keys()
    micro().load_state_dict(rename_old_keys(old))
    torchvisions_micro().load_state_dict(old)  # torchvision reads them alike


def test_the_map_holds_the_patches_where_they_lie_in_the_image():
    net, x = randomize(micro()).eval(), torch.randn(1, 3, 32, 32)
    net.encoder.layers = nn.Sequential()  # without attention a token depends on its own patch alone
    other = x.clone()
    other[..., 8:16, 24:32] += 1
    changed = (net.forward_features(x) != net.forward_features(other)).any(1)[0]
    assert changed.nonzero().tolist() == [[1, 3]]


@pytest.mark.parametrize(("small_images", "size"), [(False, 64), (True, 32)])
def test_the_pyramid_is_as_stated_and_ends_with_the_features(small_images: bool, size: int):
    net = (vit_b_16(small_images=True) if small_images else micro()).eval()
    x = torch.randn(1, 3, size, size)
    maps = net.forward_pyramid(x)
    assert [Level(m.shape[1], size // m.shape[2]) for m in maps] == list(net.pyramid)
    assert torch.equal(maps[-1], net.forward_features(x))
    assert net.num_features == maps[-1].shape[1]


def test_the_head_reads_the_class_token_and_says_so():
    net, x = randomize(micro()).eval(), torch.randn(2, 3, 32, 32)
    assert torch.equal(net.forward_head(*net.forward_tokens(x)), net(x))
    with pytest.raises(ValueError, match="reads the class token"):
        net.forward_head(net.forward_features(x))


def test_with_mean_pooling_the_map_is_all_that_the_head_needs():
    net, x = randomize(micro(pool="mean")).eval(), torch.randn(2, 3, 32, 32)
    assert torch.equal(net.forward_head(net.forward_features(x)), net(x))
    assert net.state_dict().keys() == micro().state_dict().keys()


def test_another_classifier_keeps_the_features():
    net, x = micro().double().eval(), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    before = net.forward_features(x)
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert torch.equal(net.forward_features(x), before)
    net.reset_classifier(0)
    assert torch.equal(net(x), net.forward_tokens(x)[1])
    assert net.num_classes == 0


def test_no_classes_gives_the_class_token():
    assert micro(num_classes=0)(torch.randn(2, 3, 32, 32)).shape == (2, 16)


@pytest.mark.parametrize("option", ["drop_rate", "attention_drop_rate"])
def test_dropout_is_for_training_only(option: str):
    net, x = randomize(micro(**{option: 0.5})), torch.randn(8, 3, 32, 32)
    assert not torch.equal(net.train()(x), net(x))
    assert torch.equal(net.eval()(x), net(x))
    still = randomize(micro()).train()
    assert torch.equal(still(x), still(x))
