"""How the values of a settings file fit together: what no single key can show.

Comes in: the environment's name and the plain data of its file, of whatever shape. Goes out: for each misfit its place,
what is wrong and what helps, all of them. A value that is wrong by itself is told by its own kind, and passed over
here. It never asks the cloud.
"""

from collections.abc import Iterator, Mapping

from releasectl.document import Path, shown
from stacks import names
from stacks.service_settings import TITLES

Misfit = tuple[Path, str, str]
_SERVICES, _NETWORK = f"{names.PROJECT}:services", f"{names.PROJECT}:network"


def misfits(environment: str, data: Mapping[str, object]) -> Iterator[Misfit]:
    """Everything in the file of `environment` that does not fit together."""
    config = _mapping(data.get("config"))
    for service, values in _mapping(config.get(_SERVICES)).items():
        place, settings = ("config", _SERVICES, service), _mapping(values)
        yield from _names(place, names.Place(environment, service), settings)
        yield from _network(place, settings, _mapping(config.get(_NETWORK)))
        yield from _certificate(place, settings, str(config.get("aws:region")))
        if settings.get("registry") == environment:
            said = f"`registry` of {shown(service)} is this environment itself"
            yield place, said, "Delete the key; an own repository is the default."


def _names(place: Path, called: names.Place, settings: Mapping[str, object]) -> Iterator[Misfit]:
    for runtime in _runtimes(settings):
        if (excess := called.excess(runtime)) > 0:
            said = f"{shown(called.service)} makes names too long for {TITLES[runtime]}, such as {shown(called.name)}"
            yield place, said, f"Shorten the service's name by {excess} characters."


def _network(place: Path, settings: Mapping[str, object], network: Mapping[str, object]) -> Iterator[Misfit]:
    private = settings.get("private") is True
    for runtime in _runtimes(settings):
        hidden = private and runtime == settings["runtime"]
        needed = {
            "app-runner": ("vpc", "endpoint") if hidden else (),
            "ecs-express": ("subnets",) if hidden else (),
            "fargate": ("vpc", "subnets"),
        }[runtime]
        lacking = " and ".join(f"`{key}`" for key in needed if not network.get(key))
        if lacking:
            title = f"{'a private service on ' if hidden else ''}{TITLES[runtime]}"
            said = f"{shown(str(place[-1]))} is {title if hidden else f'on {title}'}, which needs {lacking}"
            yield place, said, f"Add {lacking} to `{_NETWORK}`."


def _certificate(place: Path, settings: Mapping[str, object], region: str) -> Iterator[Misfit]:
    parts = str(_mapping(settings.get("domain")).get("certificate") or "").split(":")
    if len(parts) > 3 and parts[3] != region:
        said = f"the certificate of {shown(str(place[-1]))} is in {parts[3]}, and the environment in {region}"
        yield (*place, "domain"), said, f"Ask for one in {region}: a load balancer takes no other."


def _runtimes(settings: Mapping[str, object]) -> list[str]:
    """The runtime and the one that is left, as far as they are such."""
    named = (settings.get("runtime"), settings.get("leaving"))
    return [str(name) for name in named if name in TITLES]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
