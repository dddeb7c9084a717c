"""How far a starter may be ahead with the job's output.

Owns: positions and windows of the two outputs. Leaves to others: the bytes (conversation, terminal).
"""

from __future__ import annotations

from collections.abc import Callable

from hpool.matchmaker.model.errors import BadMessage
from hpool.shadow.api import stdio


class OutputWindows:
    """Holds the starter to its word: no gap, no repetition, nothing beyond the window.

    Without it a machine that lies could fill this process's memory.
    """

    def __init__(self, output: int = 0, error: int = 0, *, is_held: bool = False) -> None:
        """What former runs had said. `is_held`: the terminal may not have taken all of that."""
        self._begun = {stdio.STDOUT: output, stdio.STDERR: error}
        self._sent = dict(self._begun)
        held = stdio.OUTPUT_WINDOW if is_held else 0
        self._taken = {stream: position - held for stream, position in self._begun.items()}
        self._closed: set[int] = set()

    def check(self, output: stdio.Output) -> None:
        """Raises BadMessage."""
        sent = self._sent.get(output.stream)
        if sent is None or output.position != sent:
            raise BadMessage("the starter", f"output {output.stream} at {output.position}")
        sent += len(output.content)
        if sent - self._taken[output.stream] > stdio.OUTPUT_WINDOW + stdio.BEYOND_WINDOW:
            raise BadMessage("the starter", "more output than the window allows")
        self._sent[output.stream] = sent

    def taken(self, credit: stdio.OutputTaken) -> None:
        if credit.stream in self._taken:
            self._taken[credit.stream] = max(self._taken[credit.stream], credit.position)

    def begin(self, tell: Callable[[stdio.OutputTaken], None]) -> None:
        """The terminal has taken what former runs had said; the starter may be told to go on."""
        for stream, position in self._begun.items():
            self.taken(credit := stdio.OutputTaken(stream, position))
            tell(credit)

    def closed(self, stream: int) -> None:
        """Nobody reads it any more."""
        self._closed.add(stream)

    def are_taken(self, output: int, error: int) -> bool:
        """All of both up to there, as far as somebody reads them."""
        wanted = {stdio.STDOUT: output, stdio.STDERR: error}
        return all(stream in self._closed or self._taken[stream] >= wanted[stream] for stream in wanted)
