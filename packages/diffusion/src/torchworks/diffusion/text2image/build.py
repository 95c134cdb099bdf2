"""Images from captions: from a configuration to an experiment."""

from torchworks.diffusion.text2image.baselines import baselines, judge_of
from torchworks.diffusion.text2image.config import Text2ImageConfig
from torchworks.diffusion.text2image.net import CaptionedUNet
from torchworks.diffusion.text2image.predictor import predictor_config
from torchworks.diffusion.text2image.task import Text2ImageTask
from torchworks.diffusion.text2image.tokens import TOKENIZER, new_tokenizer
from torchworks.shared.data import LoaderFactory, Part, open_source
from torchworks.shared.data.captions import captions_in
from torchworks.shared.data.tokenized import TokenizedImages, padded
from torchworks.shared.fidelity import Selection
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.text import Tokenizer
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 120
"""Images that are drawn at once."""
SHOWN = 16
"""Captions of the test part whose images are the preview."""
SEEN = 300
"""Training captions that are drawn at the end, to be read beside those of the test part."""


def build(config: Text2ImageConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without captions."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("image", "caption")
    captions = captions_in(source.train)
    tokenizer = new_tokenizer(captions, config.vocabulary)
    length = min(config.longest, max(len(tokenizer.encode(text)) for text in {*captions}))
    train, test = (TokenizedImages(part, tokenizer, length) for part in (source.train, source.test))
    channels, size, _ = source.schema["image"].shape
    net = CaptionedUNet(
        config.text, config.net, vocabulary=len(tokenizer), length=length, channels=channels, image_size=size
    )
    read = [tokenizer.decode(row) for part in (train, test) for row in part.tokens.tolist()]
    whole = read == [*train.captions, *test.captions]
    judge = judge_of(source, config.data) if whole else None  # a caption that is cut says something else
    shown = [test.captions[i * len(test) // SHOWN] for i in range(min(SHOWN, len(test)))]
    task = Text2ImageTask(net, config, tokenizer, image_shape=(channels, size, size), judge=judge, shown=shown)
    task.watch = None  # the loss says little of what is drawn, so the last state is kept
    loaders = LoaderFactory(config, device, evaluation_batch=EVALUATION_BATCH)
    seen = loaders.ordered(Part(train, range(min(SEEN, len(train)))))
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=Selection(loaders.shuffled(train), config.drawn),
        test=loaders.ordered(test),
        sources=(source,),
        models=(_model(config, task, tokenizer),),
        baselines=lambda: baselines(task, seen, loaders.ordered(test)),
    )


def _model(config: Text2ImageConfig, task: Text2ImageTask, tokenizer: Tokenizer) -> TrainedModel:
    """The golden example are two test captions."""
    latent = sample_normal(config.seed, range(2), *task.image_shape).flatten(1)
    length = task.model.length
    text = padded([task.shown[0], task.shown[-1]], tokenizer, length)
    return TrainedModel(
        builder="diffusion-text2image",
        config=predictor_config(config, task.image_shape, length),
        net=task.model,
        golden={"latent": latent, "text": text},
        preprocessing={"text": {"tokenizer": TOKENIZER}},
        files={TOKENIZER: tokenizer.to_json()},
    )
