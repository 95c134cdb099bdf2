"""U-Nets, DiT and the autoencoder beside those of the library diffusers, in small, with random weights."""

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL as DiffusersAutoencoderKL
from diffusers.models.embeddings import LabelEmbedding
from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from torchworks.diffusion.models.autoencoder import AutoencoderKL
from torchworks.diffusion.models.conditional_unet import ConditionalUNet
from torchworks.diffusion.models.dit import DiT
from torchworks.diffusion.models.parity import Comparison, Sizes
from torchworks.diffusion.models.unet import UNet
from torchworks.shared.models.parity import On
from torchworks.shared.testing import randomize

CLASSES, GROUPS, HEAD_DIM, STATE_DIM, VECTOR_DIM = 5, 4, 4, 6, 7
IMAGE_AXES = {0: "N", 2: "H", 3: "W"}


def unet() -> Comparison:
    """The default: no attention, blocks scaled and shifted."""
    return of_unet(widths=(8, 16), attention=(False, False), mid=False)


def unet_attention() -> Comparison:
    return of_unet(widths=(8, 8, 16), attention=(False, True, False), mid=True)


def unet_time_added() -> Comparison:
    return of_unet(widths=(8, 16), attention=(False, False), mid=False, layers=2, scale_shift=False)


def conditional_unet() -> Comparison:
    return of_conditional_unet(linear=False, vector_dim=0)


def conditional_unet_vector() -> Comparison:
    return of_conditional_unet(linear=True, vector_dim=VECTOR_DIM)


def dit() -> Comparison:
    patch_size, heads, head_dim = 2, 2, 8
    theirs = DiTTransformer2DModel(
        num_attention_heads=heads,
        attention_head_dim=head_dim,
        in_channels=3,
        out_channels=4,
        num_layers=2,
        sample_size=8,
        patch_size=patch_size,
        num_embeds_ada_norm=CLASSES,
    )
    for module in theirs.modules():
        if isinstance(module, LabelEmbedding):
            module.dropout_prob = 0.0  # in training it would replace labels at random
    ours = DiT(
        3, out_channels=4, patch_size=patch_size, embed_dim=heads * head_dim, depth=2, num_heads=heads,
        num_classes=CLASSES, image_size=8,
    )  # fmt: skip
    return Comparison(
        "diffusers.DiTTransformer2DModel",
        On(randomize(ours), lambda net, *inputs: net(*inputs)),
        On(randomize(theirs), lambda net, x, time, label: net(x, time, label).sample),
        make=lambda sizes: (*images_and_times(sizes), labels(sizes)),
        axes=(IMAGE_AXES, {0: "N"}, {0: "N"}),
        exported=sides(3, 8, (15, 28)),
    )


def autoencoder() -> Comparison:
    """Means, log variances and the decoded means."""
    widths = (8, 16, 16)
    theirs = DiffusersAutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=GROUPS,
    )

    def reference(net: Any, x: Tensor) -> tuple[Tensor, ...]:
        found = net.encode(x).latent_dist
        return found.mean, found.logvar, net.decode(found.mean).sample

    def ours(net: Any, x: Tensor) -> tuple[Tensor, ...]:
        return *net.encode(x), net(x)

    return Comparison(
        "diffusers.AutoencoderKL",
        On(randomize(AutoencoderKL(3, widths=widths, groups=GROUPS)), ours),
        On(randomize(theirs), reference),
        make=lambda sizes: (images(sizes),),
        axes=(IMAGE_AXES,),
        exported=sides(5, 8, (15, 28)),
    )


# ------------------------------------------------------------------------------------------------------- pieces


def of_unet(
    *, widths: tuple[int, ...], attention: tuple[bool, ...], mid: bool, layers: int = 1, scale_shift: bool = True
) -> Comparison:
    theirs = UNet2DModel(
        in_channels=3,
        out_channels=4,
        block_out_channels=widths,
        layers_per_block=layers,
        down_block_types=tuple("AttnDownBlock2D" if each else "DownBlock2D" for each in attention),
        up_block_types=tuple("AttnUpBlock2D" if each else "UpBlock2D" for each in reversed(attention)),
        add_attention=mid,
        attention_head_dim=HEAD_DIM,
        norm_num_groups=GROUPS,
        attn_norm_num_groups=GROUPS,
        num_class_embeds=CLASSES + 1,
        resnet_time_scale_shift="scale_shift" if scale_shift else "default",
    )
    ours = UNet(
        3, out_channels=4, widths=widths, layers=layers, attention=attention, mid_attention=mid, head_dim=HEAD_DIM,
        groups=GROUPS, num_classes=CLASSES, scale_shift=scale_shift,
    )  # fmt: skip
    return Comparison(
        "diffusers.UNet2DModel",
        On(randomize(ours), lambda net, *inputs: net(*inputs)),
        On(randomize(theirs), lambda net, x, time, label: net(x, time, label).sample),
        make=lambda sizes: (*images_and_times(sizes), labels(sizes)),
        axes=(IMAGE_AXES, {0: "N"}, {0: "N"}),
        exported=sides(ours.multiple + 1, 8, (15, 28)),
    )


def of_conditional_unet(*, linear: bool, vector_dim: int) -> Comparison:
    widths, attention = (8, 16), (False, True)
    theirs = UNet2DConditionModel(
        in_channels=3,
        out_channels=4,
        block_out_channels=widths,
        layers_per_block=1,
        down_block_types=tuple("CrossAttnDownBlock2D" if each else "DownBlock2D" for each in attention),
        up_block_types=tuple("CrossAttnUpBlock2D" if each else "UpBlock2D" for each in reversed(attention)),
        attention_head_dim=tuple(width // HEAD_DIM for width in widths),  # it is the number of heads
        norm_num_groups=GROUPS,
        cross_attention_dim=STATE_DIM,
        use_linear_projection=linear,
        class_embed_type="projection" if vector_dim else None,
        projection_class_embeddings_input_dim=vector_dim or None,
        resnet_time_scale_shift="scale_shift",
    )
    ours = ConditionalUNet(
        3, STATE_DIM, vector_dim=vector_dim, out_channels=4, widths=widths, attention=attention, head_dim=HEAD_DIM,
        groups=GROUPS, linear_projection=linear,
    )  # fmt: skip

    def reference(net: Any, x: Tensor, time: Tensor, states: Tensor, mask: Tensor, vector: Any = None) -> Tensor:
        return net(x, time, states, class_labels=vector, encoder_attention_mask=mask).sample

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        vectors = (torch.randn(sizes["N"], vector_dim, generator=seeded(sizes)),) if vector_dim else ()
        return (*images_and_times(sizes), *texts(sizes), *vectors)

    text_axes = {0: "N", 1: "L"}
    return Comparison(
        "diffusers.UNet2DConditionModel",
        On(randomize(ours), lambda net, *inputs: net(*inputs)),
        On(randomize(theirs), reference),
        make=make,
        axes=(IMAGE_AXES, {0: "N"}, text_axes, text_axes, *([{0: "N"}] if vector_dim else [])),
        exported=tuple(
            {**side, "L": length} for side, length in zip(sides(ours.multiple + 1, 8, (15, 28)), (1, 4, 9), strict=True)
        ),
    )


def sides(*lengths: int | tuple[int, int]) -> tuple[Sizes, ...]:
    """Heights and widths, equal where there is one number."""
    pairs = (length if isinstance(length, tuple) else (length, length) for length in lengths)
    return tuple({"H": height, "W": width} for height, width in pairs)


def seeded(sizes: Sizes) -> torch.Generator:
    return torch.Generator().manual_seed(sum(sizes.values()))


def images(sizes: Sizes) -> Tensor:
    return torch.randn(sizes["N"], 3, sizes["H"], sizes["W"], generator=seeded(sizes))


def images_and_times(sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Images and times, which are no integers."""
    return images(sizes), torch.linspace(0.3, 998.7, sizes["N"])


def labels(sizes: Sizes) -> Tensor:
    """All classes, the one for "no class" too."""
    return torch.arange(CLASSES, CLASSES + sizes["N"]) % (CLASSES + 1)


def texts(sizes: Sizes) -> tuple[Tensor, Tensor]:
    """States (N, L, D) and masks (N, L) of texts of 1 to L tokens."""
    states = torch.randn(sizes["N"], sizes["L"], STATE_DIM, generator=seeded(sizes))
    lengths = 1 + torch.arange(sizes["N"]) % sizes["L"]
    return states, torch.arange(sizes["L"]) < lengths[:, None]
