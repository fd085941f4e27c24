"""Which models are asked when: at the same time where there are GPUs for it, or one after another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from evalkit import serve
from evalkit.base.errors import InfrastructureError, SandboxError, StoreError
from evalkit.base.events import Notice, Stage
from evalkit.runs import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.base.events import Say
    from evalkit.client import SendingPolicy
    from evalkit.cluster.hosts import Hosts
    from evalkit.config.run_config import Config
    from evalkit.records.plan import Contender
    from evalkit.runs.pending import Ledger
    from evalkit.runs.publish import RunFolder

    Missing = dict[str, InfrastructureError]
    Turn = Sequence[tuple[Contender, Sequence[serve.ServerPlace]]]


def joined(config: Config, say: Say) -> Hosts | None:
    """The cluster whose hosts serve the models, joined; None where this machine does.

    Raises:
        UsageError: The cluster cannot serve them.
        InfrastructureError: It cannot be reached, or has no room now.
    """
    served = [config.serving(one.label) for one in config.models if one.label not in config.endpoints]
    if not config.serve.ray or not served:
        return None
    from evalkit.cluster import joining  # noqa: PLC0415 - nothing of Ray is imported unless a cluster is named

    return joining.joined(served, say, any_kind="accelerator" in config.accept_differences)


def placement(config: Config, contenders: Sequence[Contender], hosts: Hosts | None) -> serve.Placement:
    """Where the models are served that evalkit serves itself: on ``hosts``, or on this machine.

    Raises:
        UsageError: There are not the GPUs that were asked for.
    """
    ours = {one.model.label: config.serving(one.model.label) for one in contenders if not one.model.endpoint}
    # A look at the candidate needs what the baseline has answered before.
    in_turn = config.one_after_another or config.policy.stop_early
    if hosts is not None and ours:
        wanted = config.serve.replicas or "auto"
        return serve.spread([*ours], hosts.places, wanted, one_after_another=in_turn)
    return serve.placement(ours, one_after_another=in_turn, any_kind="accelerator" in config.accept_differences)


@dataclass(slots=True)
class Turns:
    """The asking of a run's models."""

    config: Config
    policy: Callable[[Contender], SendingPolicy]
    folder: RunFolder
    say: Say
    owed: Mapping[str, int]
    """Label to how many answers of a model the store lacked before the first one was asked."""
    hosts: Hosts | None = None
    """Where the servers run, where that is not this machine."""
    _told: bool = False
    """Whether it has been said which variables servers are not given."""

    def each(
        self, contenders: Sequence[Contender], ledger: Callable[[Contender], Ledger], missing: Missing
    ) -> list[Ledger]:
        """Let every model answer what it owes; one that cannot be served never costs the others their report.

        Args:
            contenders: The models, in their order.
            ledger: Opens what one of them owes.
            missing: Receives why a model did not answer everything, by label.
        """
        return asyncio.run(self._each(contenders, ledger, missing))

    def one(self, ledger: Ledger) -> Ledger:
        """Let one model answer, with all the room that there is."""
        turn, *_ = self._turns([ledger.contender])
        asyncio.run(self._ask(ledger, turn[0][1], self._ahead(())))
        return ledger

    async def _each(
        self, contenders: Sequence[Contender], ledger: Callable[[Contender], Ledger], missing: Missing
    ) -> list[Ledger]:
        found: list[Ledger] = []

        async def answers(one: Contender, places: Sequence[serve.ServerPlace], ahead: serve.ReadAhead) -> None:
            try:
                mine = ledger(one)
                await self._ask(mine, places, ahead)
                found.append(mine)
            except (StoreError, SandboxError):
                raise
            except InfrastructureError as error:
                missing[one.model.label] = error
                if len(found) + len(missing) < len(contenders):
                    self.say(Stage(f"warning: {error.message}; the other models go on"))

        turns = self._turns(contenders)
        for turn, after in zip_longest(turns, turns[1:], fillvalue=()):
            try:
                with self._ahead(after) as ahead:
                    async with asyncio.TaskGroup() as together:
                        for one, places in turn:
                            together.create_task(answers(one, places, ahead))
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None
        return found

    def _ahead(self, turn: Turn) -> serve.ReadAhead:
        """What reads the weights of those models of a turn that this machine will serve."""
        models = [] if self.hosts else [one.model for one, _ in turn]
        return serve.ReadAhead([one for one in models if not one.endpoint and self.owed.get(one.label)])

    def _turns(self, contenders: Sequence[Contender]) -> list[Turn]:
        """The models that are asked at the same time, turn by turn, each with the places of its servers."""
        ours = {one.model.label: one for one in contenders}
        turns: list[Turn] = [[(one, ())] for one in contenders if one.model.endpoint]
        placed = placement(self.config, contenders, self.hosts).turns
        turns += [[(ours[label], places) for label, places in turn.items()] for turn in placed]
        return sorted(turns, key=lambda turn: contenders.index(turn[0][0]))

    async def _ask(self, ledger: Ledger, places: Sequence[serve.ServerPlace], ahead: serve.ReadAhead) -> None:
        if not ledger.advance():
            return
        config, model = self.config, ledger.contender.model
        way = asking.AskingRules(self.policy(ledger.contender), allow_overlong=config.allow_overlong)
        if model.endpoint:
            await asking.on_endpoint(ledger, model.endpoint, model.source, way)
            return
        if not self._told and (left_out := serve.dropped(config.serve.env)):
            self._told = True
            self.say(Notice(serve.not_passed_on(left_out)))
        serving, log = config.serving(model.label), self.folder.server_log(model.label)
        tell = asking.teller(ledger)

        def hear(state: str, detail: str) -> None:
            tell(state, detail)
            if state == "ready":  # before that it reads its own weights
                ahead.begin()

        make = self.hosts.make if self.hosts else serve.Server
        async with serve.Replicas(serving, model, log, hear, places, make) as servers:
            await asking.on_own_servers(ledger, servers, way)
