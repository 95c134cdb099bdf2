"""One thing found out about a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FEW = 10
"""Samples below which a class is called tiny."""
UNEVEN = 20
"""How many times the smallest class the largest may be."""


@dataclass(frozen=True)
class Finding:
    """One line. A problem stops a training or spoils it, a warning deserves a look, a fact is just said."""

    level: Literal["problem", "warning", "fact"]
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


def graded(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The gravest first."""
    order = ("problem", "warning", "fact")
    return tuple(sorted(findings, key=lambda finding: order.index(finding.level)))
