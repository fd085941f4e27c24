"""Whether stored answers of a server that evalkit did not start may be used again.

What runs behind an address cannot be known: the same name may answer from other weights tomorrow. So answers are used
again within the run that asked for them; across runs only where the user vouches for the server (``--endpoint-is``), or
where a few stored answers, asked again, come back the same.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import islice
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError
from evalkit.base.printable import counted
from evalkit.base.types import Answer
from evalkit.client import Client
from evalkit.harnesses import Served
from evalkit.records.results import StoredAnswers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.base.types import Outcome, Sample
    from evalkit.client import SendingPolicy
    from evalkit.harnesses import Session
    from evalkit.records.plan import Contender
    from evalkit.records.store import Store
    from evalkit.runs.prepare import Source

    Asked = tuple[Source, str, Sample, Answer]
    """What is asked again: its source, its key, the sample with its pictures, and the answer in the store."""

SAMPLES: Final = 8
"""Stored answers that are asked again, over all tasks."""
_LOOKED_AT: Final = 256
"""Rows of a task among which they are chosen: their pictures have to be read again."""


def standing(
    one: Contender, sources: Sequence[Source], store: Store, revision: str, policy: SendingPolicy
) -> StoredAnswers:
    """Look whether the answers that are stored under a server's name may be used by a run that did not ask for them.

    Raises:
        InfrastructureError: The server gives no answer to what is asked again.
    """
    if revision:
        return StoredAnswers(how="vouched", revision=revision)
    key = one.fingerprint()
    if not any(entry.request and store.outcome(key(entry.request)) for each in sources for entry in each.entries):
        return StoredAnswers(how="own")
    chosen = list(_chosen(one, sources, store))
    same = asyncio.run(_ask_again(one, chosen, policy)) if chosen else 0
    alike = bool(chosen) and same == len(chosen)
    return StoredAnswers(how="compared" if alike else "afresh", asked=len(chosen), same=same)


def _chosen(one: Contender, sources: Sequence[Source], store: Store) -> Iterator[Asked]:
    """The longest stored answers of every task that is asked without chance: they tell two models apart soonest."""
    key, able = one.fingerprint(), [each for each in sources if each.part.task.decoding.temperature == 0]
    for at, source in enumerate(able):
        kept: dict[str, Answer] = {}
        for entry in source.entries[:_LOOKED_AT]:
            found = store.outcome(key(entry.request)) if entry.request else None
            if isinstance(found, Answer):
                kept[entry.request] = found
        share = SAMPLES // len(able) + (at < SAMPLES % len(able))
        wanted = set(sorted(kept, key=lambda request: (-len(kept[request].text or ""), request))[:share])
        for sample, request in islice(source.samples(), _LOOKED_AT):
            if request in wanted:
                wanted.remove(request)
                yield source, key(request), sample, kept[request]


async def _ask_again(one: Contender, chosen: Sequence[Asked], policy: SendingPolicy) -> int:
    """How many of the stored answers come back the same."""
    url = one.model.endpoint or ""
    served = Served(url, one.model.source, one.model, patience_s=policy.patience_s)
    same = 0
    async with Client(url, served.name, policy, one.model.names) as client:
        for source in dict.fromkeys(id(each[0]) for each in chosen):
            entries = [each for each in chosen if id(each[0]) == source]
            session = await asyncio.to_thread(entries[0][0].harness.session, entries[0][0].part.task, served, _untold)
            found = await _outcomes(client, session, entries)
            same += sum(session.same(stored, found[key]) for _, key, _, stored in entries if key in found)
    return same


async def _outcomes(client: Client, session: Session, entries: Sequence[Asked]) -> Mapping[str, Answer]:
    pending = [(key, sample) for _, key, sample, _ in entries]
    found: dict[str, Answer] = {}
    failures: list[Outcome | None] = []
    # A harness that would have to rehearse its usual way first has another one.
    requests = list(session.requests(pending)) or list(session.alone(pending))
    async with aclosing(client.ask(requests)) as outcomes:
        async for request, outcome in outcomes:
            keys = (request.key,) if isinstance(request.key, str) else request.key
            replies = outcome if isinstance(outcome, tuple) else (outcome,) * len(keys)
            found |= {key: one for key, one in zip(keys, replies, strict=True) if isinstance(one, Answer)}
            failures += [one for one in replies if not isinstance(one, Answer)]
    if not found:
        message = next((getattr(one, "message", "") for one in failures if one is not None), "no answer")
        raise InfrastructureError(
            f"none of {counted(len(entries), 'stored answer')} could be asked again: {message}",
            fix="see that the server answers; or vouch for what it serves with --endpoint-is MODEL=REVISION",
        )
    return found


def _untold(_: str) -> None:
    """What a harness tells of how it asks is told by the run itself."""
