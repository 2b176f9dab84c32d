"""Doctor, the network: the VPC and the subnets that settings name, or the default ones where Express needs them.

Comes in: what an environment wants, and its network as AWS tells it. Goes out: questions, and diagnoses. What a subnet
is for decides what is asked of it: instances need a way to the registry, load balancers one from the internet.
"""

from collections.abc import Iterator
from functools import partial

from releasectl.answers import texts
from releasectl.doctor import Diagnosis, Question, Subject
from releasectl.doctor_facts import Account, Network
from releasectl.doctor_wanted import Wanted

FREE = 8  # addresses that a subnet of a load balancer has to have left (Elastic Load Balancing, subnets)


def questions(wanted: Wanted, account: Account) -> Iterator[Question]:
    """About the subnets of the settings; without any, about the default VPC where Express needs it."""
    vpc, subnets = str(wanted.network.get("vpc", "")), texts(wanted.network.get("subnets"))
    subject, region = Subject("network", wanted.environment), wanted.region
    if subnets:
        public = texts(wanted.network.get("load_balancer_subnets")) or subnets
        yield Question(subject, partial(account.network, region, vpc, subnets), partial(instances, wanted, subnets))
        if wanted.on("fargate"):
            yield Question(subject, partial(account.network, region, vpc, public), partial(balancers, wanted, public))
    elif wanted.on("ecs-express"):
        yield Question(subject, partial(account.network, region, "", ()), default_network)


def default_network(subject: Subject, network: Network) -> Iterator[Diagnosis]:
    """Express services without a network of their own run in the default VPC, in two of its public subnets."""
    if network.vpc is None:
        remedy = "Run `aws ec2 create-default-vpc`, or name subnets of yours in `release-controller:network`."
        yield subject.problem("there is no default VPC, in which ECS Express Mode would run", remedy)
        return
    fit = [each for each in network.subnets if each.way == "internet" and each.free >= FREE]
    zones = {each.zone for each in fit}
    if len(zones) < 2:
        yield subject.problem(
            f"the default VPC {network.vpc} has public subnets with {FREE} free addresses in {len(zones)} of two zones",
            "Add what it lacks, or name subnets of yours in `release-controller:network`.",
        )
    else:
        yield subject.fine(f"the default VPC {network.vpc} has public subnets in {len(zones)} zones")


def instances(wanted: Wanted, subnets: list[str], subject: Subject, network: Network) -> Iterator[Diagnosis]:
    """The subnets that instances run in: there, in two zones, and with a way to the registry."""
    wrong = [*_misplaced(wanted, subnets, subject, network), *_ways(wanted, subject, network)]
    yield from wrong or [subject.fine(f"{network.vpc or 'the subnets'}: instances run in {_zones(network)} zones")]


def balancers(wanted: Wanted, subnets: list[str], subject: Subject, network: Network) -> Iterator[Diagnosis]:
    """The subnets that load balancers stand in: those of a public service have to lead to the internet."""
    public = [name for name in wanted.on("fargate") if not wanted.services[name].get("private")]
    hidden = [each.id for each in network.subnets if each.way != "internet"]
    if public and hidden:
        yield subject.problem(
            f"{' and '.join(public)} shall be reached from the internet, and {', '.join(hidden)} does not lead there",
            f"Name public subnets as `load_balancer_subnets` in {wanted.settings}, or write `private: true`.",
        )
    short = [each.id for each in network.subnets if each.free < FREE]
    if short:
        remedy = "Name larger subnets as `load_balancer_subnets`."
        yield subject.problem(f"{', '.join(short)} has fewer than {FREE} addresses left for a load balancer", remedy)
    if not (public and hidden) and not short and len(network.subnets) == len(set(subnets)):
        yield subject.fine(f"load balancers stand in {_zones(network)} zones")


def _misplaced(wanted: Wanted, subnets: list[str], subject: Subject, network: Network) -> Iterator[Diagnosis]:
    vpc = str(wanted.network.get("vpc", ""))
    remedy = f"Correct `release-controller:network` in {wanted.settings}."
    if vpc and network.vpc is None:
        yield subject.problem(f"there is no {vpc} in {wanted.region}", remedy)
    lost = sorted(set(subnets) - {each.id for each in network.subnets})
    if lost:
        yield subject.problem(f"there is no {', '.join(lost)} in {wanted.region}", remedy)
    elsewhere = [each.id for each in network.subnets if vpc and each.vpc != vpc]
    if elsewhere:
        yield subject.problem(f"{', '.join(elsewhere)} is in another VPC than {vpc}", remedy)
    if network.subnets and _zones(network) < 2:
        zone = network.subnets[0].zone
        yield subject.problem(f"all subnets are in {zone}, and go down with it", f"Add one of another zone. {remedy}")


def _ways(wanted: Wanted, subject: Subject, network: Network) -> Iterator[Diagnosis]:
    """An instance that reaches neither registry nor logs never starts."""
    addressed = wanted.network.get("public_addresses") is True
    stuck = [each.id for each in network.subnets if each.way == "internet" and not addressed]
    if stuck and wanted.on("fargate"):
        yield subject.problem(
            f"{', '.join(stuck)} leads to the internet without a NAT gateway, and instances get no public address: "
            "they could not pull their image",
            f"Write `public_addresses: true` in {wanted.settings}, or name subnets with a NAT gateway.",
        )
    closed = [each for each in network.subnets if not each.way]
    if closed:
        yield subject.warning(
            f"{', '.join(each.id for each in closed)} leads nowhere: without VPC endpoints for ECR, S3 and logs no "
            "instance starts there",
            "Add a NAT gateway or these endpoints, or name other subnets.",
        )


def _zones(network: Network) -> int:
    return len({each.zone for each in network.subnets})
