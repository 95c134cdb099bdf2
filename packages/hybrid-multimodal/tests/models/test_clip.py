"""CLIP is that of transformers (open_clip's: test_parity.py), and a scene encoder keeps the promises of every net."""

import pytest
import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from torchworks.hybrid_multimodal.models.clip import CLIP, VisionTransformer, contrastive_loss, with_end
from torchworks.hybrid_multimodal.models.scene_encoder import SceneEncoder
from torchworks.shared.testing import check_model, randomize

EMBED, VOCABULARY, LENGTH = 24, 50, 9


def clip(image_size: int = 32, *, quick_gelu: bool = False) -> CLIP:
    visual = VisionTransformer(
        image_size=image_size, patch_size=8, width=128, depth=2, num_heads=2, embed_dim=EMBED, quick_gelu=quick_gelu
    )
    return CLIP(
        visual, vocabulary=VOCABULARY, embed_dim=EMBED, context_length=LENGTH, width=32, depth=2, num_heads=4,
        quick_gelu=quick_gelu,
    )  # fmt: skip


def inputs(image_size: int = 32, rows: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, and texts of different lengths that end with the largest id."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(1, VOCABULARY - 1, (rows, LENGTH - 1), generator=generator)
    for row, length in enumerate((LENGTH - 1, 2, 5)[:rows]):
        words[row, length:] = 0
    return torch.randn(rows, 3, image_size, image_size, generator=generator), with_end(words, VOCABULARY - 1)


def test_clip_is_that_of_transformers():
    config = CLIPConfig(
        text_config=CLIPTextConfig(
            vocab_size=VOCABULARY, hidden_size=32, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=LENGTH, eos_token_id=VOCABULARY - 1, projection_dim=EMBED,
        ).to_dict(),
        vision_config=CLIPVisionConfig(
            hidden_size=128, intermediate_size=512, num_hidden_layers=2, num_attention_heads=2, image_size=32,
            patch_size=8, projection_dim=EMBED,
        ).to_dict(),
        projection_dim=EMBED,
    )  # fmt: skip
    reference = CLIPModel(config).eval()
    randomize(reference)
    ours = clip(quick_gelu=True).eval()
    ours.load_state_dict(of_transformers(reference.state_dict()), strict=True)
    images, tokens = inputs()
    with torch.no_grad():
        mine = ours(images, tokens)
        theirs = reference(input_ids=tokens, pixel_values=images)
    torch.testing.assert_close(mine[0], theirs.image_embeds, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mine[1], theirs.text_embeds, rtol=1e-5, atol=1e-5)


def of_transformers(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state of Hugging Face's CLIP under our names."""
    names = {
        "vision_model.embeddings.class_embedding": "visual.class_embedding",
        "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
        "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
        "vision_model.pre_layrnorm": "visual.ln_pre",
        "vision_model.post_layernorm": "visual.ln_post",
        "vision_model.encoder.layers": "visual.transformer.resblocks",
        "text_model.embeddings.token_embedding": "token_embedding",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "text_model.encoder.layers": "transformer.resblocks",
        "text_model.final_layer_norm": "ln_final",
        "self_attn": "attn",
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
    found: dict[str, torch.Tensor] = {}
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        for theirs, ours in names.items():
            key = key.replace(theirs, ours)
        block, _, projection = key.rpartition(".attn.")
        if key == "visual_projection.weight":
            found["visual.proj"] = value.T
        elif key == "text_projection.weight":
            found["text_projection"] = value.T
        elif block and projection[:2] in ("q_", "k_", "v_"):
            kind = projection.rpartition(".")[2]
            parts.setdefault(f"{block}.attn.in_proj_{kind}", {})[projection[0]] = value
        elif not key.endswith("position_ids"):
            found[key] = value
    return found | {key: torch.cat([value[name] for name in "qkv"]) for key, value in parts.items()}


def test_every_promise_of_a_net_holds_for_clip_and_for_the_encoder_of_scenes():
    check_model(clip, inputs(), shapes=((3, EMBED), (3, EMBED), (3,)))
    check_model(
        lambda: SceneEncoder(image_size=32, embed_dim=EMBED, widths=(8, 16), blocks=1),
        torch.randn(3, 3, 32, 32),
        shapes=(3, EMBED),
    )


def test_padding_behind_the_end_of_a_text_changes_nothing():
    net, (_, tokens) = clip().eval(), inputs()
    with torch.no_grad():
        short, long = net.encode_text(tokens[1:2, :4]), net.encode_text(tokens[1:2])
    torch.testing.assert_close(short, long, rtol=1e-5, atol=1e-6)


def test_an_image_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(ValueError, match="32 × 32, not of 40 × 40"):
        clip()(torch.zeros(2, 3, 40, 40), inputs(rows=2)[1])


def test_the_scale_is_at_most_100():
    net = clip()
    nn.init.constant_(net.logit_scale, 9.0)
    assert net.scale().item() == 100


def test_the_loss_of_different_captions_is_the_papers_and_equal_captions_share_their_target():
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.cross_entropy(logits, torch.arange(4))
    torch.testing.assert_close(contrastive_loss(logits, torch.eye(4, dtype=torch.bool)), expected)
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    log_p = logits[:3, :3].log_softmax(1)
    by_hand = -((log_p[0, 0] + log_p[0, 1]) / 2 + (log_p[1, 0] + log_p[1, 1]) / 2 + log_p[2, 2]) / 3
    torch.testing.assert_close(contrastive_loss(logits[:3, :3], same), by_hand)


def test_the_end_stands_after_the_last_word_of_each_text():
    assert with_end(torch.tensor([[3, 4, 5], [3, 0, 0]]), 9).tolist() == [[3, 4, 5, 9], [3, 9, 0, 0]]
