"""A text that is longer than its model reads is the same in Python and in the service, whatever its positions are."""

import asyncio

import pytest
import torch

pytest.importorskip("torchworks.serving", reason="needs the service")
pytest.importorskip("torchworks.seq_models", reason="needs the package that has these nets")

from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.generation.generators import gpt_generator
from torchworks.seq_models.models.gpt import GPT
from torchworks.serving.generation.engine import GenerationEngine
from torchworks.serving.generation.text_stream import TextStream
from torchworks.serving.generation.texts import Generated, Options, Text
from torchworks.serving.limits import Limits
from torchworks.shared.text import ByteLevelBPE
from torchworks.shared.text.sampling import GREEDY, Sampling

TOKENIZER = ByteLevelBPE([], ("<pad>", "<unk>"))
CONTEXT = 24
PROMPTS = [[5], [7, 70, 9], list(range(30, 30 + CONTEXT)), [200] * (CONTEXT - 1)]


@pytest.fixture(params=[None, 10_000.0], ids=["learned", "rotary"])
def net(request) -> GPT:
    torch.manual_seed(0)
    made = GPT(len(TOKENIZER), context=CONTEXT, depth=2, embed_dim=16, num_heads=2, rotary_base=request.param)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.ndim == 2:  # so large that logits differ clearly
                parameter.mul_(2 if "wte" in name else 8)
    return made.eval()


def served(net: GPT, sampling: Sampling, steps: int) -> list[list[int]]:
    """The tokens that the service generates by the graph that is exported, all texts in one batch."""
    generator = gpt_generator(net)
    engine = GenerationEngine(generator.advance, generator.generation, Limits())
    options = Options(sampling, seed=3, most=steps)
    asked = Generated(
        [Text(i, prompt, options, TextStream(TOKENIZER, ()), number=i) for i, prompt in enumerate(PROMPTS)]
    )

    async def all_pieces() -> None:
        engine.submit(asked)
        async for _ in asked.pieces():
            pass

    asyncio.run(all_pieces())
    engine.close()
    return [text.generated for text in asked.texts]


def test_python_and_the_service_write_the_same_text_beyond_the_context(net):
    """Each text forgets its beginning at least twice; in fp32."""
    steps = 3 * CONTEXT
    for sampling in (GREEDY, Sampling(0.9, top_p=0.9)):
        alone = [
            complete(net, [prompt], steps=steps, sampling=sampling, seed=3, numbers=[i])[0]
            for i, prompt in enumerate(PROMPTS)
        ]
        assert complete(net, PROMPTS, steps=steps, sampling=sampling, seed=3) == alone
        assert served(net, sampling, steps) == alone
        assert len({tuple(each) for each in alone}) == len(PROMPTS)
