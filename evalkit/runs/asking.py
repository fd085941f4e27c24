"""One model answers what it owes: on servers of ours, started again when they die, or on one that already runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from evalkit.base.errors import InfrastructureError
from evalkit.base.events import Notice, OneServer, Servers, ServerState
from evalkit.runs.conversation import DEATH_SHOWS_S, AskingRules, Dialogue, ServerDiedError
from evalkit.runs.deaths import Death, Deaths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.client import Client
    from evalkit.runs.pending import Ledger
    from evalkit.serve import AnyServer, OwnReplica, Replicas

_TELL_EVERY_S = 2.0
__all__ = ["AskingRules", "on_endpoint", "on_own_servers", "teller"]


async def on_own_servers(ledger: Ledger, servers: Replicas, way: AskingRules) -> None:
    """Let the model answer everything; a server that dies is started again, a bounded number of times.

    One server leads: sessions speak to it, and what may have killed another is asked there. The others take from the
    same queue. When the leader dies, another one takes its part. A request that killed a server twice is set aside as
    a failure (``killed_server``).

    Raises:
        ServerFailedError: None started, they died twice of one cause before anything was answered, died once more than
            ``serving.restarts`` each, or died of too many different requests.
    """
    label = ledger.contender.model.label
    deaths = Deaths(label, servers.restarts * len(servers.replicas))
    spoken: tuple[AnyServer | None, int] = (None, 0)
    while ledger.advance():
        leader = await servers.leader()
        server = leader.starting.result()
        answers = spoken[1] if spoken[0] is server else 0
        dialogue = Dialogue(ledger, server.url, server.served_name, way, deaths, answers=answers)
        try:
            await _race(dialogue, servers, leader)
            spoken = (server, dialogue.answers)
        except ServerDiedError:
            death = Death(server.diagnose(), dialogue.under_way, dialogue.answers, server.last_words())
            ledger.say(ServerState(label, "died", death.cause.reason))
            _act_on(death, deaths, ledger, given_up=servers.is_spent(leader))
            if ledger.advance() and not servers.start_again(leader, deaths.pause_s, death.cause.reason):
                _tell_given_up(dialogue, servers, leader)


def _act_on(death: Death, deaths: Deaths, ledger: Ledger, *, given_up: bool) -> None:
    """Set aside what killed the server, if that is known; give the model up where another start is pointless."""
    killer = deaths.note(death, answered=ledger.answered)
    next_step = "" if given_up and killer is None else f"; {deaths.next_step}"
    ledger.say(Notice(f"{deaths.label}: the server died: {death.cause.reason}{next_step}"))
    if killer is not None:
        keys, failure = killer
        ledger.settle(keys, (failure,) * len(keys))
        error = deaths.too_many_killers(death)
        if error is not None:
            raise error


async def on_endpoint(ledger: Ledger, url: str, served_name: str, way: AskingRules) -> None:
    """Ask a server that already runs; nothing is started or stopped."""
    label = ledger.contender.model.label
    ledger.say(ServerState(label, "already running", url))
    while ledger.advance():
        await Dialogue(ledger, url, served_name, way).everything(None)


def teller(ledger: Ledger) -> Callable[[str, str], None]:
    """What hears of a model's servers."""
    label = ledger.contender.model.label
    return lambda state, detail: ledger.say(ServerState(label, state, detail))


async def _race(dialogue: Dialogue, servers: Replicas, leader: OwnReplica) -> None:
    """Talk until all is said, or until the leading server dies: what was under way then stays owed."""
    death = asyncio.ensure_future(leader.starting.result().died())
    speaking = asyncio.ensure_future(dialogue.everything(death))
    telling = asyncio.ensure_future(_tell_of_each(dialogue, servers))
    others = [one for one in servers.replicas if one is not leader and not servers.is_given_up(one)]
    helping = [asyncio.ensure_future(_take_part(dialogue, servers, one)) for one in others]
    try:
        await _first(speaking, death, helping)
        if death.done() and not speaking.done():
            raise ServerDiedError
        try:
            speaking.result()
        except InfrastructureError:
            # The client gives up on a silent server; if it died, starting it again is the better answer.
            await asyncio.wait({death}, timeout=DEATH_SHOWS_S)
            if death.done():
                raise ServerDiedError from None
            raise
    finally:
        for one in (*helping, speaking, death, telling):
            one.cancel()
        await asyncio.wait({*helping, speaking, death, telling})
        if len(servers.replicas) > 1:
            dialogue.ledger.say(Servers(dialogue.ledger.contender.model.label, ()))  # what was told holds no longer


async def _first(
    speaking: asyncio.Future[None], death: asyncio.Future[None], helping: Sequence[asyncio.Future[None]]
) -> None:
    """Wait until all is said or the leading server died; what goes wrong beside it, such as a full disk, is raised."""
    running = {speaking, death, *helping}
    while not (speaking.done() or death.done()):
        ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for one in ended.intersection(helping):
            one.result()


async def _take_part(dialogue: Dialogue, servers: Replicas, replica: OwnReplica) -> None:
    """Let one more server take from the queue whenever it is ready, until it has died too often."""
    client = await dialogue.joinable()
    while (server := await servers.ready(replica)) is not None:
        if why := await _objection(dialogue, server):
            servers.give_up(replica, why)
            break
        await _until_it_is_lost(dialogue, client, server)
        reason = server.diagnose().reason
        again = servers.start_again(replica, float(replica.deaths), reason)
        if again:
            dialogue.tell(f"{replica.name} died: {reason}; what it had goes to the others; starting it again")
    _tell_given_up(dialogue, servers, replica)


async def _tell_of_each(dialogue: Dialogue, servers: Replicas) -> None:
    """What each of several servers does, every few seconds; of one alone the model's own lines say it."""
    ledger = dialogue.ledger
    while len(servers.replicas) > 1:
        asked = {one.root: one for one in (dialogue.client.replicas if dialogue.client else ())}
        told = []
        for one in servers.replicas:
            given_up = servers.is_given_up(one)
            found = asked.get(one.starting.result().url) if one.starting.done() and not given_up else None
            idle = "waiting" if one.starting.done() else "starting"
            state = "given up" if given_up else "answering" if found else idle
            now = (len(found.under_way), found.window.size, found.answered) if found else (0, 0, 0)
            told.append(OneServer(one.where, state, *now))
        ledger.say(Servers(ledger.contender.model.label, tuple(told)))
        await asyncio.sleep(_TELL_EVERY_S)


def _tell_given_up(dialogue: Dialogue, servers: Replicas, replica: OwnReplica) -> None:
    goes_on = ", the others go on" if any(not servers.is_given_up(one) for one in servers.replicas) else ""
    dialogue.tell(f"{replica.name} is given up{goes_on}: {servers.why_given_up(replica)}")


async def _objection(dialogue: Dialogue, server: AnyServer) -> str:
    """Why it may not take part; empty where it may, and where it died of the question: that is seen next."""
    looking, death = asyncio.ensure_future(dialogue.objection(server)), asyncio.ensure_future(server.died())
    try:
        await asyncio.wait({looking, death}, return_when=asyncio.FIRST_COMPLETED)
        return looking.result() if looking.done() else ""
    except InfrastructureError as error:  # the others go on without a server that says nothing
        return "" if death.done() else error.message
    finally:
        for one in (looking, death):
            one.cancel()
        await asyncio.wait({looking, death})


async def _until_it_is_lost(dialogue: Dialogue, client: Client, server: AnyServer) -> None:
    one = await client.join(server.url)
    signs = [asyncio.ensure_future(server.died()), asyncio.ensure_future(one.lost.wait())]
    try:
        await asyncio.wait(signs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for sign in signs:
            sign.cancel()
    held = tuple(one.under_way.values())
    twice = {id(request) for request in held if dialogue.is_suspect(request)}
    # Before it leaves: what is being asked may come to its end with that, and has to know that something is left owed.
    dialogue.note_loss(held, server)
    await client.leave(one, lambda request: id(request) in twice)
