"""The training doctor of diffusion models: it names what is wrong by the scores of an evaluation, and the remedy.

It only speaks: a diffusion model's loss does not collapse as a GAN's may, and what is wrong is mostly an option.
"""

from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.shared.task import Diagnosis

BEHIND = 2.0
"""How many times larger the loss of the averaged weights is than that of training when they lag behind."""
RESTLESS = 0.1
"""Share of drawn values beyond the range of pixels that is too much."""
POOR = 0.6
"""Recall, and precision, below which a sharp set of images lacks variety, or a varied one sharpness."""
SCALE = 0.2
"""By how much the images' standard deviation may differ from what the process assumes, as a share of it."""


class Doctor:
    """Diagnoses from the metrics of a training, each cause once.

    `deviation` is the standard deviation of what noise is added to, images or latents.
    """

    def __init__(
        self, process: ProcessConfig, sampling: SamplingConfig, *, conditional: bool, deviation: float | None = None
    ):
        self.process, self.sampling, self.conditional, self.deviation = process, sampling, conditional, deviation
        self.named: list[str] = []
        self.loss: float | None = None
        """The latest loss of training."""

    def diagnose(self, step: int, metrics: dict[str, float]) -> Diagnosis | None:
        """What is wrong, if anything is that was not yet named; `metrics` are named as in `Task.diagnose`."""
        if "train/loss" in metrics:
            self.loss = metrics["train/loss"]
        found = self._of_scale() | self._of_scores(
            {n.removeprefix("eval/"): v for n, v in metrics.items() if n[:5] == "eval/"}
        )
        for name, cause in found.items():
            if name not in self.named:
                self.named.append(name)
                return Diagnosis(cause)
        return None

    def _of_scale(self) -> dict[str, str]:
        """Whether images are as large as EDM's factors assume."""
        if self.deviation is None or self.process.prediction != "edm":
            return {}
        assumed = self.process.sigma_data
        if abs(self.deviation / assumed - 1) <= SCALE:
            return {}
        return {
            "scale": f"the images have a standard deviation of {self.deviation:.2f}, but EDM's factors assume "
            f"{assumed:g}. Set --process.sigma-data {self.deviation:.2f}."
        }

    def _of_scores(self, scores: dict[str, float]) -> dict[str, str]:
        found = {}
        loss, outside = scores.get("loss"), scores.get("out_of_range", 0.0)
        if loss is not None and self.loss is not None and loss > BEHIND * self.loss:
            found["average"] = (
                f"the averaged weights have a loss of {loss:.3g}, training one of {self.loss:.3g}: the average lags "
                "behind, so what is drawn is older than what was learnt. Train longer, or lower --trainer.ema."
            )
        if outside > RESTLESS:
            cause = "lower --sampling.guidance" if self._guided else "train longer, or lower --optim.lr"
            found["saturated"] = (
                f"{outside:.0%} of the drawn values lie beyond the range of pixels, so images are burnt out: {cause}, "
                "or set --sampling.clip."
            )
        if self._guided and scores.get("recall", 1.0) < POOR <= scores.get("precision", 0.0):
            found["guidance"] = (
                f"drawn images are sharp (precision {scores['precision']:.2f}) but differ too little (recall "
                f"{scores['recall']:.2f}): a guidance of {self.sampling.guidance:g} may be too high. Lower "
                "--sampling.guidance."
            )
        return found

    @property
    def _guided(self) -> bool:
        return self.conditional and self.sampling.guidance > 1
