"""Doctor, the account: whose credentials, which region, whether the runtime may be used, quotas, alerts.

Comes in: what an environment wants of AWS, and facts. Goes out: questions, and diagnoses. Where AWS gives no answer
beforehand, as about App Runner, that is what is said.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from releasectl.doctor import Diagnosis, Question, Subject, known
from releasectl.doctor_facts import Account, Certificate, Identity, Images, Quota, Subscription
from releasectl.doctor_wanted import Wanted

ROLES = {
    "AWSServiceRoleForECS": "ecs.amazonaws.com",
    "AWSServiceRoleForElasticLoadBalancing": "elasticloadbalancing.amazonaws.com",
    "AWSServiceRoleForApplicationAutoScaling_ECSService": "ecs.application-autoscaling.amazonaws.com",
}
NEARLY = 0.8  # of a quota


def questions(wanted: Wanted, account: Account) -> Iterator[Question]:
    """All that AWS is asked for one environment."""
    about, region = partial(Subject, where=wanted.environment), wanted.region
    yield Question(about("credentials"), partial(account.identity, region), partial(whose, wanted), must=True)
    yield Question(about("region"), partial(account.is_enabled, region), partial(enabled, wanted))
    if wanted.on("app-runner"):
        yield Question(about("runtime"), partial(account.app_runner_services, region), partial(app_runner, wanted))
    if wanted.on("fargate", "ecs-express"):
        yield Question(about("runtime"), partial(account.linked_roles, region, tuple(ROLES)), linked)
    for kind, needed in _needed(wanted).items():
        yield Question(about("quota"), partial(account.quota, region, kind), partial(within, needed))
    yield known(about("alerts"), wanted, somebody_is_told)
    if wanted.outputs and wanted.outputs.topic:
        told = partial(account.subscriptions, region, wanted.outputs.topic)
        yield Question(about("alerts"), told, confirmed)
    yield from _services(wanted, account)


def _services(wanted: Wanted, account: Account) -> Iterator[Question]:
    """One by one: the certificate of its domain, and its image repository once that is there."""
    outputs = wanted.outputs.services if wanted.outputs else {}
    for name, held in wanted.services.items():
        subject, domain = Subject("domain", f"{wanted.environment} {name}"), held.get("domain")
        arn = str(domain.get("certificate", "")) if isinstance(domain, dict) else ""
        if arn:
            yield Question(subject, partial(account.certificate, wanted.region, arn), partial(certified, arn))
        elif held.get("runtime") == "fargate" and not held.get("private"):
            yield known(subject, wanted, in_clear)
        repository = outputs[name].repository if name in outputs else ""
        if repository:
            about = Subject("images", f"{wanted.environment} {name}")
            yield Question(about, partial(account.images, wanted.region, repository), kept)


def _needed(wanted: Wanted) -> dict[str, float]:
    """By quota: how much the settings ask for at most."""
    runner, fargate = wanted.on("app-runner"), wanted.on("fargate")
    ecs = wanted.on("fargate", "ecs-express")
    there = {name for name, service in (wanted.outputs.services if wanted.outputs else {}).items() if service.service}
    needed = {"app-runner": len(set(runner) - there), "load-balancers": len(set(fargate) - there)}
    processors = sum(_processors(wanted.services[name]) for name in ecs)
    return {
        kind: amount
        for kind, amount, asked in (
            ("app-runner", needed["app-runner"], runner),
            ("load-balancers", needed["load-balancers"], fargate),
            ("fargate", processors, ecs),
        )
        if asked
    }


def _processors(held: Mapping[str, object]) -> float:
    """vCPU of all instances at once."""
    scaling = held.get("scaling")
    most = scaling.get("max", 4) if isinstance(scaling, dict) else 4
    cpu = held.get("cpu", 1024)
    return cpu / 1024 * most if isinstance(cpu, int) and isinstance(most, int) else 0.0


# ---- what the facts mean ----


def whose(wanted: Wanted, subject: Subject, identity: Identity) -> Iterator[Diagnosis]:
    """These credentials, against the account that the settings allow."""
    said = f"account {identity.account}, as {identity.arn}"
    if not wanted.accounts:
        remedy = f"Run `releasectl init --environment {wanted.environment} --account {identity.account}`."
        yield subject.warning(f"{said}; {wanted.settings} would let any other account be changed, too", remedy)
    elif identity.account in wanted.accounts:
        yield subject.fine(f"{said}, which is the one of {wanted.settings}")
    else:
        remedy = f"Log in to {wanted.accounts[0]}, or correct `aws:allowedAccountIds` in {wanted.settings}."
        yield subject.problem(f"{said}, and {wanted.settings} allows {', '.join(wanted.accounts)} alone", remedy)


def enabled(wanted: Wanted, subject: Subject, is_enabled: bool | None) -> Iterator[Diagnosis]:
    """The region."""
    if is_enabled:
        yield subject.fine(f"{wanted.region} is enabled")
    elif is_enabled is None:
        remedy = f"Correct `aws:region` in {wanted.settings}; `aws ec2 describe-regions` lists them."
        yield subject.problem(f"AWS has no region {wanted.region}", remedy)
    else:
        remedy = f"Enable {wanted.region} for the account, or write another `aws:region` into {wanted.settings}."
        yield subject.problem(f"the account has not opted in to {wanted.region}", remedy)


def app_runner(wanted: Wanted, subject: Subject, count: int) -> Iterator[Diagnosis]:
    """There is no question to AWS that says whether an account may create a first service."""
    names = " and ".join(wanted.on("app-runner"))
    if count:
        services = "1 service runs" if count == 1 else f"{count} services run"
        yield subject.fine(f"App Runner is used here: {services} on it in {wanted.region}")
        return
    yield subject.warning(
        f"App Runner was never used here: no service runs on it in {wanted.region}. Since 30 April 2026 it takes no "
        "new customers, and AWS gives no answer before the first create, which may be refused",
        f"Write `runtime: ecs-express` for {names} in {wanted.settings}, unless you know that the account uses App "
        "Runner elsewhere.",
    )


def linked(subject: Subject, there: tuple[str, ...]) -> Iterator[Diagnosis]:
    """The roles that ECS and its neighbours work with. AWS makes them when they are first needed, if it may."""
    lacking = [name for name in ROLES if name not in there]
    if not lacking:
        yield subject.fine("ECS, load balancing and scaling have their service-linked roles")
        return
    commands = [f"`aws iam create-service-linked-role --aws-service-name {ROLES[name]}`" for name in lacking]
    yield subject.warning(
        f"not there yet: {', '.join(lacking)}. AWS makes them with the first service, if the role that deploys may",
        f"Run {', '.join(commands)}.",
    )


def within(needed: float, subject: Subject, quota: Quota) -> Iterator[Diagnosis]:
    """A quota, against what is there and what the settings ask for in addition."""
    used, total = quota.used or 0, (quota.used or 0) + needed
    counted = f"{used} of {quota.limit:g} used" if quota.used is not None else f"{quota.limit:g}, use not counted"
    said = f"{quota.name}: {counted}, the settings ask for {'up to ' * (quota.used is None)}{needed:g} more"
    if quota.used is None:
        said = f"{quota.name}: {quota.limit:g} in the account, and this environment's instances may ask for {needed:g}"
    remedy = "Ask for more in the console of Service Quotas; it may take days."
    if total > quota.limit:
        yield subject.problem(said, remedy)
    elif total > NEARLY * quota.limit:
        yield subject.warning(said, remedy)
    else:
        yield subject.fine(said)


def somebody_is_told(subject: Subject, wanted: Wanted) -> Iterator[Diagnosis]:
    """An alarm that reaches nobody."""
    found = wanted.config.get("release-controller:alerts")
    alerts = found if isinstance(found, dict) else {}
    routes = [key for key in ("email", "sms", "https", "slack") if alerts.get(key)]
    if routes:
        yield subject.fine(f"alerts go out by {', '.join(routes)}")
    else:
        remedy = f"Run `releasectl init --environment {wanted.environment} --email YOU@EXAMPLE.COM`."
        yield subject.warning(f"{wanted.settings} names nobody who gets alerts", remedy)


def confirmed(subject: Subject, told: tuple[Subscription, ...]) -> Iterator[Diagnosis]:
    """AWS sends nothing to who did not confirm, and drops them after some days."""
    pending = [each for each in told if each.is_pending]
    for each in pending:
        yield subject.problem(
            f"{each.protocol} {_veiled(each)} has not confirmed, and gets no alert",
            "Open the message of AWS and confirm. Where it came days ago, remove the address and add it again.",
        )
    if told and not pending:
        yield subject.fine("everybody who is to be told has confirmed")


def _veiled(subscription: Subscription) -> str:
    """An HTTPS endpoint is a secret; the rest says whom to ask."""
    return "(a secret address)" if subscription.protocol.startswith("http") else subscription.endpoint


def certified(arn: str, subject: Subject, certificate: Certificate | None) -> Iterator[Diagnosis]:
    """The certificate of a domain."""
    if certificate is None:
        remedy = "Correct `domain.certificate`; it has to be in the environment's region."
        yield subject.problem(f"there is no certificate {arn}", remedy)
    elif certificate.status == "ISSUED":
        yield subject.fine(f"its certificate is issued, for {', '.join(certificate.names)}")
    else:
        remedy = "Open it in the console of Certificate Manager; where it waits, put its CNAME records into your DNS."
        yield subject.problem(f"its certificate is {certificate.status}, so no listener takes it", remedy)


def in_clear(subject: Subject, wanted: Wanted) -> Iterator[Diagnosis]:
    """A load balancer without a certificate."""
    yield subject.warning(
        "it answers in plain HTTP: it has no domain with a certificate",
        f"Write `domain: {{name: ..., certificate: arn:aws:acm:...}}` into {wanted.settings}.",
    )


def kept(subject: Subject, images: Images | None) -> Iterator[Diagnosis]:
    """The image repository: scanned, and with a retention that keeps what is pinned."""
    if images is None:
        yield subject.problem("its image repository is gone", "Run `releasectl drift --remediate` for the environment.")
        return
    if images.scans and images.has_retention:
        yield subject.fine("images are scanned, and retention keeps what is pinned")
    else:
        lacks = " and ".join(
            name for name, there in (("scanning", images.scans), ("retention", images.has_retention)) if not there
        )
        yield subject.warning(f"its image repository lacks {lacks}", "Run `releasectl drift` for the environment.")
