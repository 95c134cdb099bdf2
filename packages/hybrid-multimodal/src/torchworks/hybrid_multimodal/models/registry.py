"""Every net by name: the one list of them. A new one is a file in this folder, and a line here."""

import importlib

from torch import nn

from torchworks.shared.config import UserError, nearest

MODELS: dict[str, str] = {
    "multi_dae": "multi_dae:MultiDAE",
    "matrix_factorization": "matrix_factorization:MatrixFactorization",
    "lightgcn": "lightgcn:LightGCN",
    "neumf": "neumf:NeuMF",
    "two_tower": "two_tower:TwoTower",
    "sasrec": "sasrec:SASRec",
    "gru4rec": "gru4rec:GRU4Rec",
    "show_attend_tell": "show_attend_tell:ShowAttendTell",
    "factored_captioner": "factored_captioner:FactoredCaptioner",
    "clip": "clip:CLIP",
    "vision_transformer": "clip:VisionTransformer",
    "scene_encoder": "scene_encoder:SceneEncoder",
    "product_vqa": "vqa:ProductVQA",
    "stacked_attention_vqa": "stacked_attention:StackedAttentionVQA",
}
"""The module of this folder and the class of each net."""


def find_model(name: str) -> type[nn.Module]:
    """The class of the net `name`; raises `UserError` with the nearest known name."""
    if name not in MODELS:
        raise UserError(f"There is no net '{name}'.{nearest(name, MODELS)} Known: {', '.join(MODELS)}.")
    module, _, made = MODELS[name].partition(":")
    return getattr(importlib.import_module(f"torchworks.hybrid_multimodal.models.{module}"), made)
