"""A stand-in for ``evalkit.client.Client`` that needs no server: it answers from a function, in the order of asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit.base.types import Failure, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from evalkit.client import Request


@dataclass
class AnswersAtOnce:
    """Asks nobody: ``answer`` is given each body and says the outcome. It remembers the keys it was asked."""

    answer: Callable[[bytes], Outcome]
    asked: list[str] = field(default_factory=list)

    async def ask(self, requests: Iterable[Request]) -> AsyncGenerator[tuple[Request, Outcome], None]:
        for request in requests:
            self.asked.append(request.key)
            body = request.payload()
            yield request, body if isinstance(body, Failure) else self.answer(body)
