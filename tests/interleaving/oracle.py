"""What must hold after every request of a schedule, and at its end. Each function returns what is broken, in words."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deploy.domain import history
from tests.interleaving import client
from tests.interleaving.journal import Moment, State
from tests.interleaving.player import Played, Player, Reached, is_change, own
from tests.interleaving.runners import BAD, THEIRS, Ended

READS_ONLY = ("plan", "status")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z?")
_ENDPOINT = re.compile(r".*/onlineendpoints/([^/]+)$")
_DEPLOYMENT = re.compile(r".*/onlineendpoints/([^/]+)/deployments/([^/]+)$")
_LOCKS = ("Blob", "Container", "Lease")
"""How the names of a lock's operations begin."""
_CHECKS = ("OnlineEndpoints_Get", "OnlineEndpoints_List", "OnlineDeployments_Get", "OnlineDeployments_List")


class Oracle:
    """Judges what a player played. Keeps what the commands bring one after the other."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._serial: dict[tuple[Any, ...], tuple[list[Ended], Any]] = {}
        self._healed = set[tuple[Any, ...]]()

    def broken(self, played: Played) -> list[str]:
        """What is broken; empty if all holds. Also runs a command in the world that the schedule left."""
        end = readable(played.moments[-1].state)
        found = [*laws(played), *exits(played)]
        if not is_overtaken(played):
            found += [*probes(played), *truths(played), *answers(played)]
        if played.schedule.mode == "off":
            found += checks(played)
        else:
            found += locks(played)
        return [*found, *self._heals(played, end), *self._outcome(played, end)]

    def _outcome(self, played: Played, end: Any) -> list[str]:
        """What exists is the result of the runs with exit 0 (and of bad releases), in the order of their locks."""
        writers = [n for n in range(len(played.ends)) if writes(played, n)]
        if [n for n in writers if not is_complete(played, n)] or is_overtaken(played):
            return []
        if played.schedule.mode == "off":
            orders: Iterable[tuple[int, ...]] = itertools.permutations(writers)
        else:
            first = {n: next(iter(acquired(played, n)), 0) for n in writers}
            orders = [tuple(sorted(writers, key=lambda n: first[n]))]
        wanted = {order: self._one_after_the_other(played, order) for order in orders}
        if any(want == end for _, want in wanted.values()):
            return []
        return [f"the end is that of no order {list(wanted)}: {json.dumps(end)} is not {json.dumps(want)}"
                for _, want in list(wanted.values())[:1]]  # fmt: skip

    def _one_after_the_other(self, played: Played, order: tuple[int, ...]) -> tuple[list[Ended], Any]:
        schedule = played.schedule
        key = (schedule.start, tuple((n, schedule.commands[n]) for n in order))
        if key not in self._serial:
            self._player.begin(schedule.start)
            ends = [self._player.again(schedule.commands[n], n) for n in order]
            self._serial[key] = (ends, readable(self._player.state()))
        return self._serial[key]

    def _heals(self, played: Played, left: Any) -> list[str]:
        """The command of the first runner again, in the world that the schedule left: it exits with 0. Once for all
        schedules that left the same.
        """
        command = played.schedule.commands[0]
        key = (command, json.dumps(left), *played.ends)
        if key in self._healed:
            return []
        word, _, release = command.partition("-")
        if word not in ("apply", "teardown"):
            word, release = "apply", "5"
        end = self._player.again(f"heal-{release}" if word == "apply" else word)
        state = readable(self._player.state())
        if end.exit == 0 and (is_live(state, release) if word == "apply" else not state):
            self._healed.add(key)
            return []
        return [f"{command} again: {end}, {json.dumps(state)}"]


def readable(state: State) -> dict[str, Any]:
    """Our endpoints by name: traffic, tags, and deployments with their releases, states and tags; without times."""
    found: dict[str, Any] = {}
    for path, body in sorted(state.items(), key=lambda item: len(item[0])):
        if match := _ENDPOINT.fullmatch(path):
            found[match[1]] = {"traffic": traffic(body), "tags": _timeless(body["tags"]), "slots": {}}
        elif (match := _DEPLOYMENT.fullmatch(path)) and match[1] in found:
            found[match[1]]["slots"][match[2]] = (release(body), _state(body), _timeless(body["tags"]))
    found.pop(THEIRS, None)
    return found


def traffic(body: Mapping[str, Any]) -> dict[str, int]:
    return {slot: share for slot, share in body["properties"]["traffic"].items() if share}


def release(body: Mapping[str, Any]) -> str:
    return str((body["properties"].get("environmentVariables") or {}).get("RELEASE", ""))


def is_live(state: Mapping[str, Any], wanted: str) -> bool:
    """Whether this release receives all traffic of the one endpoint."""
    return [[each["slots"][slot][0] for slot in each["traffic"]] for each in state.values()] == [[wanted]]


def _state(body: Mapping[str, Any]) -> str:
    return str(body["properties"]["provisioningState"])


def _timeless(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: _TIME.sub("T", text) for name, text in tags.items()}


def laws(played: Played) -> list[str]:
    """Traffic is 100 or 0 % over Succeeded deployments, and what others own is unchanged, after every request."""
    return [words for moment in played.moments for words in _laws(moment, may_update=is_overtaken(played))]


def probes(played: Played) -> list[str]:
    """No release receives traffic before it was probed."""
    probed = _Probed(played)
    return [words for moment in played.moments for words in probed.broken(moment)]


def answers(played: Played) -> list[str]:
    """Each request of the client has a good answer, until a teardown begins."""
    downs = [n for n, command in enumerate(played.schedule.commands) if command == "teardown"]
    begins = min((number for n in downs for number in writes(played, n)), default=None)
    sent = [row for row in played.rows if client.is_own(row) and (begins is None or row["number"] < begins)]
    return [f"request {row['number']} of the client had status {row['status']}" for row in sent if row["status"] != 200]


def _laws(moment: Moment, *, may_update: bool) -> list[str]:
    found = []
    for path, body in moment.state.items():
        if not (match := _ENDPOINT.fullmatch(path)):
            continue
        shares = traffic(body)
        states = {
            slot: _state(moment.state[at]) for slot in shares if (at := f"{path}/deployments/{slot}") in moment.state
        }
        allowed = {"Succeeded", "Updating"} if may_update else {"Succeeded"}
        if sum(shares.values()) not in (0, 100) or set(states.values()) - allowed or len(states) < len(shares):
            found.append(f"after request {moment.number}: {match[1]} has {shares} over {states}")
    if theirs := [path for path in moment.changed if f"/{THEIRS}" in path]:
        found.append(f"request {moment.number} changed {theirs}")
    return found


class _Probed:
    """Which release of which deployment was probed, from the scoring requests between the moments."""

    def __init__(self, played: Played) -> None:
        self._scored = [(row["number"], row["target"].lower()) for row in played.rows if _is_good_score(row)]
        self._proved: set[tuple[str, str]] | None = None
        self._state: State = {}

    def broken(self, moment: Moment) -> list[str]:
        """The deployments with traffic whose release was not probed before."""
        live = {(path, release(moment.state[path])) for path in _with_traffic(moment.state)}
        if self._proved is None:
            self._proved = set(live)
        while self._scored and self._scored[0][0] < moment.number:
            _, target = self._scored.pop(0)
            if target in self._state:
                self._proved.add((target, release(self._state[target])))
        self._state = moment.state
        self._proved -= {(path, text) for path, text in self._proved if path not in moment.state}
        wrong = [f"{path.rpartition('/')[2]} with release {text}" for path, text in live - self._proved]
        wrong += [f"{path} with a bad release" for path, text in live if text == BAD]
        return [f"after request {moment.number}: {each} has traffic and was not probed" for each in wrong]


def _is_good_score(row: Mapping[str, Any]) -> bool:
    return bool(row["operation"] == "Score" and row["status"] == 200 and not client.is_own(row))


def _with_traffic(state: State) -> list[str]:
    ends = [(path, body) for path, body in state.items() if _ENDPOINT.fullmatch(path)]
    return [at for path, body in ends for slot in traffic(body) if (at := f"{path}/deployments/{slot}") in state]


def is_write(row: Mapping[str, Any]) -> bool:
    """Whether a request changes an endpoint or a deployment."""
    return is_change(row) and 200 <= row["status"] < 300


def writes(played: Played, runner: int) -> list[int]:
    """The numbers of the requests with which a runner has changed something outside its lock."""
    return [
        row["number"] for row in own(played.rows, runner)
        if row["mutating"] and row["plane"] == "arm" and not row["operation"].startswith(_LOCKS)
        and 200 <= row["status"] < 300
    ]  # fmt: skip


def acquired(played: Played, runner: int) -> list[int]:
    """The numbers of the requests that gave a runner the lock."""
    rows = own(played.rows, runner)
    arm = [row["number"] for row in rows if row["operation"] == "BlobContainers_Lease" and row["status"] == 200][:1]
    blob = {("Blob_AcquireLease", 201), ("Blob_ChangeLease", 200)}
    return sorted(arm + [row["number"] for row in rows if (row["operation"], row["status"]) in blob])


def exits(played: Played) -> list[str]:
    """The exit codes that are allowed. A plan can be refused (4) when another run has left nothing to do it with."""
    found = []
    for runner, (command, end) in enumerate(zip(played.schedule.commands, played.ends, strict=True)):
        wrote = writes(played, runner)
        conflicts = played.schedule.mode == "off" or played.schedule.loses_locks
        allowed = {0, 7, 8} | ({5} if command == BAD or conflicts else set())
        if end.exit not in allowed and not (end.exit == 4 and not wrote):
            found.append(f"{command} ended with {end}")
        if end.exit == 7 and wrote:
            found.append(f"{command} exited with 7 and wrote {wrote}")
        if wrote and command in READS_ONLY:
            found.append(f"{command} wrote {wrote}")
    return found


def is_complete(played: Played, runner: int) -> bool:
    """Whether all of a run took effect, or none: not after a lost lock, and not after a conflict."""
    end = played.ends[runner]
    return end.exit == 0 or (end.exit == 5 and played.schedule.commands[runner] == BAD and "AML319" not in end.codes)


def is_overtaken(played: Played) -> bool:
    """Whether a runner was held between its check and its write: nothing in Azure prevents that, if the lock is lost,
    or if there is none. A check before a shift of traffic is two reads, so without a lock the second one counts, too.
    """
    schedule = played.schedule
    if schedule.mode != "off" and not schedule.loses_locks:
        return False
    return any(
        is_change(row)
        for each in played.reached
        for row in _from_held(played, each)[: 2 if schedule.mode == "off" else 1]
    )


def _from_held(played: Played, reached: Reached) -> list[dict[str, Any]]:
    """The requests of a runner that change or read endpoints and deployments, from the one that was held."""
    rows = [row for row in own(played.rows, reached.switch.leaves) if row["number"] > reached.after]
    return [row for row in rows if row["operation"].startswith("Online")]


def truths(played: Played) -> list[str]:
    """Exit 0 is true at some moment of the run: after its last write, or if it wrote nothing at one of its requests."""
    found = []
    for runner, (command, end) in enumerate(zip(played.schedule.commands, played.ends, strict=True)):
        rows, wrote = own(played.rows, runner), writes(played, runner)
        promise = _promise(command, wrote=bool(wrote))
        if end.exit or not rows or promise is None:
            continue
        begin, last = (wrote[-1], wrote[-1]) if wrote else (rows[0]["number"], rows[-1]["number"])
        states = [moment.state for moment in played.moments if begin < moment.number <= last]
        states.append([moment.state for moment in played.moments if moment.number <= begin][-1])
        if not any(promise(readable(state)) for state in states):
            found.append(f"{command} exited with 0, and was never true: {json.dumps([readable(s) for s in states])}")
    return found


def _promise(command: str, *, wrote: bool) -> Callable[[Mapping[str, Any]], bool] | None:
    """What exit 0 of a command states. An apply does not deploy a release again that a rollback moved traffic from."""
    word, _, wanted = command.partition("-")
    if word == "apply":
        return lambda state: is_live(state, wanted) or (not wrote and _is_rolled_back(state))
    if word == "teardown":
        return lambda state: not state
    if word == BAD:
        return lambda _: False
    return None


def _is_rolled_back(state: Mapping[str, Any]) -> bool:
    return any(history.ROLLED_BACK_TAG in each["tags"] for each in state.values())


def locks(played: Played) -> list[str]:
    """A run without the lock writes nothing, and one that lost it starts no further write."""
    found = []
    holders = sorted((number, runner) for runner in range(len(played.ends)) for number in acquired(played, runner))
    for runner, command in enumerate(played.schedule.commands):
        mine = acquired(played, runner)
        wrote = writes(played, runner)
        if wrote and not (mine and mine[0] < wrote[0]):
            found.append(f"{command} wrote {wrote} without the lock")
        for number in wrote:
            latest = [who for at, who in holders if at < number][-1:]
            if latest and latest[0] != runner and not _was_sent_before(played, number):
                found.append(f"{command} wrote (request {number}) after runner {latest[0]} had taken its lock")
    return found


def _was_sent_before(played: Played, number: int) -> bool:
    """Whether the write was on its way already when its runner was held."""
    return any("hold" in row["note"] for row in played.rows if row["number"] == number)


def checks(played: Played) -> list[str]:
    """Between two writes of a run there is a read of what it changes; a teardown deletes whatever is in a slot."""
    found = []
    for runner, command in enumerate(played.schedule.commands):
        checked = False
        for row in own(played.rows, runner) if command != "teardown" else ():
            if row["operation"] in _CHECKS:
                checked = True
            elif is_write(row):
                if not checked:
                    found.append(f"{command} wrote without a check: {row['method']} {row['path']}")
                checked = False
    return found
