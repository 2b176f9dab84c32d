"""What the door remembers of load balancers: addresses, listeners, and what their rules do.

Comes in: what was created, changed and deleted, in the members' own form. Goes out: the same, also after a restart.
ministack keeps everything else; it forgets weighted forwards, so the actions are kept here.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Action = Mapping[str, Any]


class Book:
    """`ports` by load balancer's ARN, `listeners` and `rules` by their own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        self.ports: dict[str, int] = kept.get("ports", {})
        self.listeners: dict[str, dict[str, Any]] = kept.get("listeners", {})
        self.rules: dict[str, dict[str, Any]] = kept.get("rules", {})

    def save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"ports": self.ports, "listeners": self.listeners, "rules": self.rules}))
        fresh.replace(self._path)

    def listener_of(self, rule: str) -> str:
        """The ARN of the listener that `rule` belongs to; of a default rule's, too, which is nowhere else kept."""
        return rule.rpartition("/")[0].replace(":listener-rule/", ":listener/")

    def balancer_of(self, listener: str) -> str:
        """The ARN of the load balancer that `listener` belongs to."""
        return listener.rpartition("/")[0].replace(":listener/", ":loadbalancer/")

    def listeners_of(self, balancer: str) -> list[dict[str, Any]]:
        found = [each for each in self.listeners.values() if each["LoadBalancerArn"] == balancer]
        return sorted(found, key=lambda each: int(each["Port"]))

    def rules_of(self, listener: str) -> list[dict[str, Any]]:
        """In the order in which they are asked."""
        found = [each for arn, each in self.rules.items() if self.listener_of(arn) == listener]
        return sorted(found, key=lambda each: int(each["Priority"]))

    def actions(self, rule: str) -> list[Action]:
        """What a rule does; a default rule does what its listener does."""
        known = self.rules.get(rule)
        found: list[Action] = (
            known["Actions"] if known else self.listeners.get(self.listener_of(rule), {}).get("DefaultActions", [])
        )
        return found

    def weigh(self, rule: str, weights: Mapping[str, int]) -> None:
        """Spread what `rule` forwards over these target groups."""
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
        changed = [
            {
                "Type": "forward",
                "Order": action["Order"],
                "ForwardConfig": {**action["ForwardConfig"], "TargetGroups": groups},
            }
            if action["Type"] == "forward"
            else dict(action)
            for action in self.actions(rule)
        ]
        if rule in self.rules:
            self.rules[rule]["Actions"] = changed
        elif self.listener_of(rule) in self.listeners:
            self.listeners[self.listener_of(rule)]["DefaultActions"] = changed
        self.save()

    def balancers_of(self, group: str) -> set[str]:
        """The load balancers that send requests to a target group, by a default action or by a rule."""
        ways = [(arn, each["DefaultActions"]) for arn, each in self.listeners.items()]
        ways += [(self.listener_of(arn), each["Actions"]) for arn, each in self.rules.items()]
        return {self.balancer_of(listener) for listener, actions in ways if group in groups_of(actions)}


def groups_of(actions: Iterable[Action]) -> set[str]:
    """The target groups that these actions forward to."""
    forwards = [action["ForwardConfig"] for action in actions if action["Type"] == "forward"]
    return {group["TargetGroupArn"] for forward in forwards for group in forward["TargetGroups"]}


def whole(actions: Iterable[Action]) -> list[dict[str, Any]]:
    """Actions as AWS shows them: every forward by its weights, and by its one group's name where there is one."""
    return [_whole(action, position) for position, action in enumerate(actions, 1)]


def _whole(action: Action, position: int) -> dict[str, Any]:
    shown = {"Order": position, **action}
    if action["Type"] == "redirect":
        default = {
            "Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}",
        }  # fmt: skip
        return {**shown, "RedirectConfig": {**default, **action["RedirectConfig"]}}
    if action["Type"] != "forward":
        return shown
    given = action.get("ForwardConfig") or {}
    groups = given.get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
    forward = {
        "TargetGroups": [{"Weight": 1, **group} for group in groups],
        "TargetGroupStickinessConfig": given.get("TargetGroupStickinessConfig") or {"Enabled": False},
    }
    one = {"TargetGroupArn": groups[0]["TargetGroupArn"]} if len(groups) == 1 else {}
    return {
        **{name: value for name, value in shown.items() if name != "TargetGroupArn"},
        **one,
        "ForwardConfig": forward,
    }
