"""Custom domains of services: what has to stand in DNS, for ever waiting for it.

Comes in: checked requests. Goes out: App Runner's answers, or a Refusal. Nobody looks into DNS here, so a domain stays
`pending_certificate_dns_validation`, which is also all that the real provider waits for. Statuses are lower-case on
AWS's wire, whatever the model says.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from sandbox.runtimes.app_runner.network import Ingress
from sandbox.runtimes.app_runner.store import Store
from sandbox.runtimes.app_runner.values import IN_PROGRESS, Service, invalid_request
from sandbox.runtimes.paging import page
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
Entry = dict[str, Any]
_WAITING = "pending_certificate_dns_validation"
_DOMAINS = 5  # AWS's quota for a service


class Domains:
    """The operations on custom domains."""

    def __init__(self, store: Store, ingress: Ingress) -> None:
        self._store, self._ingress = store, ingress

    def associate(self, request: Request) -> Entry:
        service, name = self._service(request), request["DomainName"]
        if service.status == IN_PROGRESS:
            raise Refusal("InvalidStateException", f"Service {service.arn} is in status {service.status}.")
        if any(name == one["DomainName"] for domains in self._store.domains.values() for one in domains):
            raise invalid_request(f"The domain {name} is already associated with a service.")
        domains = self._store.domains.setdefault(service.arn, [])
        if len(domains) >= _DOMAINS:
            raise invalid_request(f"At most {_DOMAINS} custom domains for a service.")
        www = bool(request.get("EnableWWWSubdomain", True))
        records = [_record(one, service) for one in (name, *([f"www.{name}"] if www else []))]
        domain = {"DomainName": name, "EnableWWWSubdomain": www, "Status": _WAITING}
        domains.append(domain | {"CertificateValidationRecords": records})
        self._store.save()
        return self._answer(service, domains[-1])

    def describe(self, request: Request) -> dict[str, object]:
        service = self._service(request)
        known = page(request, "CustomDomains", self._store.domains.get(service.arn, []), most=5)
        answer = self._answer(service, {})
        return known | {name: value for name, value in answer.items() if name != "CustomDomain"}

    def disassociate(self, request: Request) -> Entry:
        service, name = self._service(request), request["DomainName"]
        domains = self._store.domains.get(service.arn, [])
        gone = next((one for one in domains if one["DomainName"] == name), None)
        if gone is None:
            raise Refusal("ResourceNotFoundException", f"Custom domain not found: {name}")
        domains.remove(gone)
        self._store.save()
        return self._answer(service, gone | {"Status": "deleting"})

    def _service(self, request: Request) -> Service:
        service = self._store.services.get(request["ServiceArn"])
        if service is None or service.status == "DELETED":
            raise Refusal("ResourceNotFoundException", f"Service not found: {request['ServiceArn']}")
        return service

    def _answer(self, service: Service, domain: Entry) -> Entry:
        inside = [
            {
                "VpcIngressConnectionArn": one["VpcIngressConnectionArn"],
                "VpcId": one["IngressVpcConfiguration"].get("VpcId", ""),
                "DomainName": one["DomainName"],
            }
            for one in self._ingress.of(service.arn)
        ]
        target = str(service.summary()["ServiceUrl"])
        return {"DNSTarget": target, "ServiceArn": service.arn, "CustomDomain": domain, "VpcDNSTargets": inside}


def _record(name: str, service: Service) -> Entry:
    """What the certificate's authority wants to see: the same for the same domain and service."""
    token = hashlib.sha256(f"{service.arn} {name}".encode()).hexdigest()
    return {
        "Name": f"_{token[:32]}.{name}.",
        "Type": "CNAME",
        "Value": f"_{token[32:]}.sandbox.acm-validations.aws.",
        "Status": "PENDING_VALIDATION",
    }
