"""Alarms change their states: by what their data says, by other alarms, by a person's word.

Comes in: the store, the time, how long a minute is. Goes out: alarms in new states, items of history, and in the
outbox one message for each action of each transition; never one without a transition. It sends nothing itself.
"""

import logging
from collections.abc import Callable, Mapping
from graphlib import TopologicalSorter

from sandbox.cloudwatch import composite, history, notice
from sandbox.cloudwatch.alarm import COMPOSITE, METRIC, Alarm
from sandbox.cloudwatch.evaluation import ALARM, OK, Verdict, stamp
from sandbox.cloudwatch.expression import ExpressionError
from sandbox.cloudwatch.store import Message, Store
from sandbox.cloudwatch.watching import Pace, look, remembered

_MINUTES = 60  # of data that is kept for alarms that are not there yet
_log = logging.getLogger(__name__)


class Transitions:
    """`look` once a minute; `move` for a word; `rules` when alarms that others ask for have changed."""

    def __init__(self, store: Store, pace: Pace, clock: Callable[[], float]) -> None:
        self._store = store
        self._pace = pace
        self._clock = clock

    def look(self) -> None:
        """Every metric alarm, then every composite one."""
        now = self._clock()
        for alarm in [alarm for alarm in self._store.alarms.values() if alarm.kind == METRIC]:
            try:
                verdict = look(alarm, self._store.metrics, self._pace, now)
            except ExpressionError as error:
                _log.warning("%s is not evaluated: %s", alarm.name, error)
                continue
            if verdict and verdict.state != alarm.state:
                self.move(alarm, verdict, now)
        self.rules()
        ranges = [remembered(alarm, self._pace) for alarm in self._store.alarms.values() if alarm.kind == METRIC]
        self._store.metrics.forget(now - max([_MINUTES * self._pace.minute, *ranges]))

    def rules(self, new: Mapping[str, str] | None = None) -> None:
        """Every composite alarm, after those that it asks for. `new` says of one whether it was created or updated."""
        rules = {
            name: composite.parse(alarm.settings["AlarmRule"])
            for name, alarm in self._store.alarms.items()
            if alarm.kind == COMPOSITE
        }
        standing = {name: rule for name, rule in rules.items() if name not in _below(rules, rule)}
        order = TopologicalSorter(
            {name: [each for each in rule.names if each in standing] for name, rule in standing.items()}
        )
        for name in order.static_order():
            self._rule(name, standing[name], (new or {}).get(name))

    def move(self, before: Alarm, verdict: Verdict, now: float) -> None:
        """One transition: the new state, its history, and what is to be sent."""
        after = before.moved(verdict, now)
        self._store.alarms[after.name] = after
        self._store.note(history.moved(before, after))
        _log.info("%s: %s -> %s, %s", after.name, before.state, after.state, after.reason)
        if after.acts:
            text = notice.message(before, after, self._children(after))
            self._store.outbox += [
                Message(after, action, notice.subject(after), text) for action in after.actions(after.state)
            ]

    def _rule(self, name: str, rule: composite.Rule, new: str | None) -> None:
        alarm, alarms = self._store.alarms[name], self._store.alarms
        state = ALARM if rule.holds({each: other.state for each, other in alarms.items()}) else OK
        if state == alarm.state:
            return
        reason = f"{alarm.arn} was {new} and its alarm rule evaluates to {state}"
        if not new:
            latest = max(self._children(alarm).values(), key=lambda child: child.updated, default=alarm)
            reason = f"{latest.arn} transitioned to {latest.state} at {stamp(latest.updated)}"
        self.move(alarm, Verdict(state, reason, ""), self._clock())

    def _children(self, alarm: Alarm) -> dict[str, Alarm]:
        if alarm.kind != COMPOSITE:
            return {}
        names = composite.parse(alarm.settings["AlarmRule"]).names
        return {name: self._store.alarms[name] for name in names if name in self._store.alarms}


def _below(rules: Mapping[str, composite.Rule], rule: composite.Rule) -> set[str]:
    """All names that a rule asks for, also by way of others. AWS does not evaluate an alarm that asks for itself."""
    found, waiting = set[str](), list(rule.names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += rules[name].names if name in rules else ()
    return found
