#!/usr/bin/env bash
# In diffusers' U-Net another way to tell the time step takes the normalization from the attention in the middle.
#
# Versions: diffusers 0.42.1, torch 2.14.1, Python 3.11.
# Expected: resnet_time_scale_shift says how residual blocks use the embedding of the time: it is added, or scales and
#           shifts (as in the paper on which it is modelled). Attention is none of its business: all three attention
#           layers are normalized by groups first, with either value.
# Seen:     with "scale_shift" the attention in the middle has no normalization any more, and so two weights fewer; those
#           on the way down and up keep theirs. `attn_norm_num_groups`, which is None by default, brings it back, and has
#           no effect on the others. So a comparison of the two ways compares two things at once, without a word.
# Output:   default      down normalized, middle normalized, up normalized; 2 weights of the middle's normalization
#           scale_shift  down normalized, middle bare, up normalized; 0 weights of the middle's normalization
#           scale_shift, attn_norm_num_groups=4  down normalized, middle normalized, up normalized; 2 weights of the middle's normalization
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check diffusers==0.42.1 torch==2.14.1
cd "$folder"
venv/bin/python - <<'PYTHON'
from diffusers import UNet2DModel


def seen(**options):
    net = UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4, attention_head_dim=8, **options,
    )
    places = {"down": net.down_blocks[1], "middle": net.mid_block, "up": net.up_blocks[0]}
    norms = {name: "bare" if block.attentions[0].group_norm is None else "normalized" for name, block in places.items()}
    return norms, sum(name.startswith("mid_block.attentions.0.group_norm") for name in net.state_dict())


tried = {
    "default": seen(resnet_time_scale_shift="default"),
    "scale_shift": seen(resnet_time_scale_shift="scale_shift"),
    "scale_shift, attn_norm_num_groups=4": seen(resnet_time_scale_shift="scale_shift", attn_norm_num_groups=4),
}
for name, (norms, weights) in tried.items():
    shown = ", ".join(f"{place} {norm}" for place, norm in norms.items())
    print(f"{name:<11}  {shown}; {weights} weights of the middle's normalization")
middles = [(norms["middle"], weights) for norms, weights in tried.values()]
assert middles == [("normalized", 2), ("bare", 0), ("normalized", 2)], "the behavior has changed"
assert all(norms["down"] == norms["up"] == "normalized" for norms, _ in tried.values()), "the behavior has changed"
PYTHON
