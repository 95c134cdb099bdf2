"""The recipes of recognition. Their docstrings are what `list` prints."""

from torchworks.seq_models.recognition.config import RecognizerConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def recognise() -> RecognizerConfig:
    """Recognise speech: strings of digits by generated speakers, letters by CTC (Deep Speech 2 in small).

    seq-models train recognise

    Three seeds: word error rate 4.5 ± 1.8 % by greedy decoding, 1.6 ± 1.1 % by beam search with a 6-gram of letters,
    of 200 strings by unseen generated voices; of single words 0.3 ± 0.5 %, templates by dynamic time warping 75 ± 7 %;
    always the commonest text 91 ± 2 %; 204 to 213 s of CPU time. Earlier trainings of the same settings had 77.6 ± 0.9
    % of digits by real people right, never heard, by beam search; of the one whom no option was chosen by, 74.0 ± 2.3 %
    (torch 2.14.1, fp32, one core of an AMD EPYC with AVX512-BF16, beside other work).
    """
    return RecognizerConfig(
        recipe="recognise",
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1200, batch_size=32, eval_every=300, clip=5.0),
    )
