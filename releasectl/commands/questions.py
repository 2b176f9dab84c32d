"""The questions of `releasectl init` on a terminal, each with what the files say today as the answer to Enter.

Comes in: today's answers. Goes out: a person's. What is the same in every environment is asked once; an account is
asked for each, since production deserves one of its own. Writes nothing and judges nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import click

from releasectl.answers import Answers, Place

A = TypeVar("A")
Places = Mapping[str, Place]


def ask(today: Answers) -> Answers:
    """Every question, on the terminal."""
    click.echo("Enter keeps what is in [brackets]; several answers are separated by spaces.", err=True)
    services = _several("Your services", today.services)
    built_from = "Repository that {} is built from, owner/name (empty: this one)"
    repositories = {name: _one(built_from.format(name), today.repositories.get(name, "")) for name in services}
    github = _one("This repository on GitHub, owner/name (empty: none)", today.github)
    owners = _several("Who reviews, in CODEOWNERS", today.owners) if today.owners else ()
    accounts = _each(today.places, "AWS account{}, 12 digits (empty: any)", lambda place: place.account, _one)
    regions = _once(today.places, "AWS region{}", lambda place: place.region, _one)
    runtimes = _runtimes(today.places, services)
    emails = _once(today.places, "Addresses that get alerts{}", lambda place: place.emails, _several)
    places = {
        name: replace(place, account=accounts[name], region=regions[name], runtimes=runtimes[name], emails=emails[name])
        for name, place in today.places.items()
    }
    needing = {name: place for name, place in places.items() if "fargate" in place.runtimes.values()}
    return Answers(services, repositories, github, today.app, owners, places | _networks(needing))


def _runtimes(today: Places, services: Sequence[str]) -> dict[str, dict[str, str]]:
    """By environment and service. A new service begins with the runtime of the first."""
    chosen: dict[str, dict[str, str]] = {name: {} for name in today}
    for service in services:

        def now(place: Place, service: str = service) -> str:
            return place.runtimes.get(service) or next(iter(place.runtimes.values()), "")

        question = f"Runtime of {service}{{}}: fargate, ecs-express, or app-runner (which takes no new customers)"
        for environment, runtime in _once(today, question, now, _one).items():
            chosen[environment][service] = runtime
    return chosen


def _networks(needing: Places) -> dict[str, Place]:
    """Fargate runs in a network of yours."""
    if not needing:
        return {}
    vpcs = _once(needing, "VPC that instances run in{}, vpc-...", lambda place: place.vpc, _one)
    subnets = _once(needing, "Subnets of it{}, in two zones or more", lambda place: place.subnets, _several)
    public = _once(
        needing, "Do they lack a NAT, so that instances need public addresses{}?",
        lambda place: place.public_addresses is True, lambda text, now: click.confirm(text, default=now, err=True),
    )  # fmt: skip
    return {
        name: replace(
            place,
            vpc=vpcs[name],
            subnets=subnets[name],
            public_addresses=_unless(place.public_addresses, public[name]),
        )
        for name, place in needing.items()
    }


def _unless(now: bool | None, answer: bool) -> bool | None:
    """No answer where it says what holds without one."""
    return None if answer == bool(now) else answer


def _once(today: Places, question: str, of: Callable[[Place], A], asking: Callable[[str, A], A]) -> dict[str, A]:
    """One answer for all environments that say the same today."""
    if len({of(place) for place in today.values()}) > 1:
        return _each(today, question, of, asking)
    answer = asking(question.format(""), of(next(iter(today.values()))))
    return dict.fromkeys(today, answer)


def _each(today: Places, question: str, of: Callable[[Place], A], asking: Callable[[str, A], A]) -> dict[str, A]:
    return {name: asking(question.format(f" of {name}"), of(place)) for name, place in today.items()}


def _one(question: str, now: str) -> str:
    return str(click.prompt(question, default=now, show_default=bool(now), err=True)).strip()


def _several(question: str, now: Sequence[str]) -> tuple[str, ...]:
    return tuple(_one(question, " ".join(now)).replace(",", " ").split())
