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
    "small_r2plus1d": "r2plus1d:SmallR2Plus1D",
    "video_resnet": "r2plus1d:VideoResNet",
    "s3d": "s3d:S3D",
    "mvit": "mvit:MViT",
    "cnn_lstm": "cnn_lstm:CNNLSTM",
    "timesformer": "video_transformer:TimeSformer",
    "molecule_net": "molecule_net:MoleculeNet",
    "gcn": "gcn:GCNLayer",
    "gin": "gin:GINLayer",
    "gine": "gine:GINELayer",
    "gat": "gat:GATLayer",
    "gatv2": "gatv2:GATv2Layer",
    "bearing_fusion": "bearing_fusion:BearingFusion",
    "late_fusion": "late_fusion:LateFusion",
    "table_and_image": "table_and_image:TableAndImage",
    "attention_classifier": "attention_classifier:AttentionClassifier",
    "se": "se:SqueezeExcitation",
    "cbam": "cbam:CBAM",
    "attention_pool": "attention_pooling:AttentionPool",
    "coatnet": "coatnet:CoAtNet",
    "hybrid_vit": "hybrid_vit:HybridViT",
    "detr": "detr:DETR",
    "dn_detr": "dn_detr:DNDETR",
}
"""The module of this folder and the class of each net."""


def find_model(name: str) -> type[nn.Module]:
    """The class of the net `name`; raises `UserError` with the nearest known name."""
    if name not in MODELS:
        raise UserError(f"There is no net '{name}'.{nearest(name, MODELS)} Known: {', '.join(MODELS)}.")
    module, _, made = MODELS[name].partition(":")
    return getattr(importlib.import_module(f"torchworks.hybrid_multimodal.models.{module}"), made)
