"""A mutant: one small change of meaning in a file of the product, which at least one test should notice."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    path: relative to the root of the project. line: of the change, from 1. change: what was changed, in words.
    text: the whole file after the change.
    """

    path: str
    line: int
    change: str
    text: str

    @property
    def mutant_id(self) -> str:
        """The same for the same change of the same text, so that an interrupted run can be continued."""
        return hashlib.sha256(f"{self.path}\n{self.text}".encode()).hexdigest()[:16]
