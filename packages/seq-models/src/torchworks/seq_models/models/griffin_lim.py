"""Sound of magnitudes alone: the phases are guessed, and made consistent by going back and forth.

Griffin & Lim 1984, "Signal estimation from modified short-time Fourier transform" (IEEE TASSP 32(2)), with the momentum
of Perraudin, Balazs & Søndergaard 2013, "A fast Griffin-Lim algorithm" (WASPAA).

The idea: not every array of complex numbers is the spectrogram of a sound. Make a sound of the magnitudes |S| with some
phases, take its spectrogram, keep its phases, put the wanted magnitudes back, and repeat. With x_k = STFT(iSTFT(|S|
e^{iφ_k})):

    φ_{k+1} = angle(x_k − m/(1 + m) x_{k−1})

m = 0 is Griffin & Lim's algorithm, m = 0.99 the fast one. Of a mel spectrogram, `magnitudes_of` finds magnitudes that
are not negative and whose mels are nearest, by multiplicative updates (Lee & Seung 2001, equation 4).

`GriffinLim` uses torch's Fourier transforms; in an exported graph, which has no complex numbers everywhere, the same by
convolutions with sines and cosines; `by_conv` takes these always. Rounding grows with each iteration. Phases of 0 make
it grow most, for the sound is then a row of pulses and silence, in which phases are anything: after 32 iterations a
millionth more or less of the magnitudes changes half of the sound. So the first phases are scattered, by numbers that
any runtime computes exactly: then it is a thousandth.

Shape letters: N rows, T frames, F = n_fft / 2 + 1 frequencies, M mels, L = (T − 1) · hop samples.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST = 1e-16
"""Power below which a number has no phase; a root's gradient at 0 would be infinite."""


class GriffinLim(nn.Module):
    """Magnitudes (N, F, T), not powers, with frames centred at multiples of `hop` → sound (N, L) after `steps`
    iterations, beginning with scattered phases. The window is Hann's of `window` samples in the middle of `n_fft`."""

    window: Tensor

    def __init__(
        self,
        n_fft: int = 512,
        *,
        hop: int = 160,
        window: int | None = None,
        steps: int = 32,
        momentum: float = 0.99,
        by_conv: bool = False,
    ):
        super().__init__()
        window = n_fft if window is None else window
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, but it is {momentum}")
        if not 0 < hop <= window <= n_fft or n_fft % 2:
            raise ValueError(f"n_fft must be even, and 0 < hop ≤ window ≤ n_fft: {hop}, {window}, {n_fft}")
        self.by_conv = by_conv
        self.n_fft, self.hop, self.size, self.steps, self.momentum = n_fft, hop, window, steps, momentum
        left = (n_fft - window) // 2
        hann = torch.hann_window(window, dtype=torch.float64)
        self.register_buffer("window", F.pad(hann, (left, n_fft - window - left)).to(torch.get_default_dtype()), False)

    def forward(self, magnitudes: Tensor, start: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """`start`, real and imaginary parts of these magnitudes, has other phases to begin with."""
        share = self.momentum / (1 + self.momentum)
        last = (torch.zeros_like(magnitudes),) * 2
        real, imaginary = self._scattered(magnitudes) if start is None else start
        for _ in range(self.steps):
            found = self.spectrum(self.sound(real, imaginary))
            a, b = (new - share * old for new, old in zip(found, last, strict=True))
            scale = magnitudes * (a.square() + b.square()).clamp_min(SMALLEST).rsqrt()
            real, imaginary, last = a * scale, b * scale, found
        return self.sound(real, imaginary)

    def _scattered(self, magnitudes: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts with phases of k · 2π/101, the numbers k a quadratic form of frequency and time."""
        f = torch.arange(magnitudes.shape[1], device=magnitudes.device)[:, None]
        t = torch.arange(magnitudes.shape[2], device=magnitudes.device)
        angle = (7 * f * f + 13 * f * t + 5 * t * t) % 101 * (2 * torch.pi / 101)
        return magnitudes * angle.cos(), magnitudes * angle.sin()

    def sound(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """The inverse short-time Fourier transform: (N, F, T) each → (N, L)."""
        return self._inverse_by_conv(real, imaginary) if self._convolves() else self._inverse(real, imaginary)

    def spectrum(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """The short-time Fourier transform: (N, L) → real and imaginary parts, (N, F, T) each."""
        return self._transform_by_conv(sound) if self._convolves() else self._transform(sound)

    def _convolves(self) -> bool:
        return self.by_conv or torch.compiler.is_exporting()

    # ------------------------------------------------------------------------------------------ by torch.fft

    def _inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        return torch.istft(
            torch.complex(real, imaginary), self.n_fft, self.hop, self.n_fft, self.window, center=True
        )  # (N, L)

    def _transform(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        found = torch.stft(sound, self.n_fft, self.hop, self.n_fft, self.window, center=True, return_complex=True)
        return found.real, found.imag

    # --------------------------------------------------------------------------------------- by convolutions

    def _waves(self) -> tuple[Tensor, Tensor]:
        """Cosines and negative sines (F, n_fft)."""
        times = torch.arange(self.n_fft, device=self.window.device)
        turns = torch.outer(times[: self.n_fft // 2 + 1], times) % self.n_fft
        angles = turns.double() * (2 * torch.pi / self.n_fft)
        return angles.cos().to(self.window.dtype), -angles.sin().to(self.window.dtype)

    def _transform_by_conv(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        half = self.n_fft // 2
        padded = F.pad(sound[:, None], (half, half), mode="reflect")
        kernel = torch.cat(self._waves()) * self.window  # (2F, n_fft)
        real, imaginary = F.conv1d(padded, kernel[:, None], stride=self.hop).chunk(2, 1)
        return real, imaginary

    def _inverse_by_conv(self, real: Tensor, imaginary: Tensor) -> Tensor:
        half = self.n_fft // 2
        weight = torch.full((half + 1,), 2.0, dtype=self.window.dtype, device=self.window.device)
        ends = torch.arange(half + 1, device=self.window.device) % half == 0
        weight = torch.where(ends, 1.0, weight) / self.n_fft  # frequencies 0 and n_fft / 2 are there once
        kernel = torch.cat(self._waves()) * torch.cat([weight, weight])[:, None] * self.window
        sound = F.conv_transpose1d(torch.cat([real, imaginary], 1), kernel[:, None], stride=self.hop)
        square = self.window.square()[None, None]
        total = F.conv_transpose1d(torch.ones_like(real[:1, :1]), square, stride=self.hop)
        length = (real.shape[2] - 1) * self.hop
        return (sound / total.clamp_min(1e-11))[:, 0, half : half + length]


def magnitudes_of(mel: Tensor, filters: Tensor, steps: int = 30) -> Tensor:
    """Mels (N, M, T), not their logarithms, and the filters (F, M) that made them of magnitudes → magnitudes (N, F, T).

    Of powers it finds powers, whose roots are magnitudes."""
    filters = filters.to(mel.dtype)
    found = (filters / filters.sum(0)) @ mel  # each filter's mean, where it looks
    gram, wanted = filters @ filters.T, filters @ mel
    for _ in range(steps):
        found = found * wanted / (gram @ found).clamp_min(1e-12)
    return found
