"""The chain of seals followed while the log is read for something else, so that it need not be read once more.

It only says that the chain is whole. Of a log with anything else in it than unsealed lines, then sealed ones each of
which follows the one above, it says nothing: `chain` has to read that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stockml.core.seals import FIRST, canonical, seal_of
from stockml.prediction_log.chain_end import MOVED, seal_in

if TYPE_CHECKING:
    from stockml.prediction_log.typed_line import TypedLine


@dataclass(slots=True)
class QuickChain:
    """The chain up to the last line that was taken in.

    Attributes
    ----------
    is_whole : bool
        True as long as every seal is right; False where `chain` has to say.
    head : str
        The last seal; FIRST without any.
    """

    is_whole: bool = True
    head: str = FIRST

    def follow(self, raw: bytes, typed: TypedLine | None) -> None:
        """Take in the next line that is a prediction: its bytes, and the line itself where the quick reader took it."""
        if not self.is_whole:
            return
        if typed is None:
            seal, is_moved = seal_in(raw), MOVED in raw
        else:
            seal, is_moved = typed.seal or None, isinstance(typed.sealed_after, str)
        if seal is None or is_moved:
            self.is_whole = self.head == FIRST and not is_moved
            return
        is_right = typed is not None and seal == seal_of(self.head, typed.sealed_form())
        self.is_whole = is_right or seal == seal_of(self.head, canonical(raw))
        self.head = seal

    def give_up(self) -> None:
        """Take in that there is a line that is no prediction, or had to be put right."""
        self.is_whole = False
