"""The commands in the documents, and how tests run them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.applications import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NEEDS = re.compile(r"# needs (an account|a Kubernetes cluster|a Citus cluster|Docker|two servers)")
"""The first line of a block that no test can run as it is."""

_BLOCK = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of commands in a document, without the comments at the ends of its lines."""

    document: str
    text: str

    @property
    def needs(self) -> bool:
        """Whether the block says that it needs more than this machine has."""
        return NEEDS.match(self.text) is not None

    @property
    def commands(self) -> list[str]:
        lines = [re.sub(r"(^|\s+)# .*", "", line).strip() for line in self.text.splitlines()]
        return [line for line in lines if line]


def blocks() -> Iterator[Block]:
    """Every block of commands of every document: not drawings and files, such as programs."""
    for path in DOCUMENTS:
        for match in _BLOCK.finditer(path.read_text(encoding="utf-8")):
            if "───" not in match["text"] and match["kind"] not in ("csv", "ini", "json", "python"):
                yield Block(str(path.relative_to(ROOT)), match["text"])


def commands_of(document: str, start: str) -> list[str]:
    """The commands of a document that begin so and that this machine can run."""
    return [
        command
        for block in blocks()
        if block.document == document and not block.needs
        for command in block.commands
        if command.startswith(start)
    ]
