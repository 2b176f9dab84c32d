"""VPC connectors and VPC ingress connections: App Runner's ways into and out of a VPC, kept and told.

Comes in: checked requests. Goes out: App Runner's answers, or a Refusal. On a laptop there is no VPC: services reach
everything that the machine reaches, and are reached at their own address, whatever a connection says.
"""

import time
from collections.abc import Mapping
from typing import Any

from sandbox.runtimes.app_runner.store import Store
from sandbox.runtimes.app_runner.values import invalid_request
from sandbox.runtimes.copies import new_id
from sandbox.runtimes.paging import page
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
Entry = dict[str, Any]


class Connectors:
    """The operations on VPC connectors; `prefix` is `arn:aws:apprunner:<region>:<account>`."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, f"{prefix}:vpcconnector"

    def create(self, request: Request) -> Entry:
        name, groups = request["VpcConnectorName"], sorted(request.get("SecurityGroups") or [])
        if any(one["VpcConnectorName"] == name for one in self._active()):
            # One revision a name is all that App Runner supports (API reference, VpcConnectorRevision).
            raise invalid_request(f"VPC connector with the provided name already exists: {name}.")
        if same := [one for one in self._active() if sorted(one["SecurityGroups"]) == groups]:
            # Whatever their names and subnets are (pulumi-aws#5364): so one connector cannot follow another.
            raise invalid_request(
                "The security groups combination provided in the request already exists on existing vpc connector. "
                f"Existing VPC connector arn: {same[0]['VpcConnectorArn']}, Security Groups: [{', '.join(groups)}]"
            )
        arn = f"{self._prefix}/{name}/1/{new_id()}"
        self._store.keep(arn, {
            "VpcConnectorName": name, "VpcConnectorArn": arn, "VpcConnectorRevision": 1, "Subnets": request["Subnets"],
            "SecurityGroups": request.get("SecurityGroups") or [], "Status": "ACTIVE", "CreatedAt": time.time(),
        }, request.get("Tags"))  # fmt: skip
        return {"VpcConnector": self._store.more[arn]}

    def describe(self, request: Request) -> Entry:
        return {"VpcConnector": self._store.one(request["VpcConnectorArn"], self._prefix, "VPC connector")}

    def list_all(self, request: Request) -> dict[str, object]:
        return page(request, "VpcConnectors", self._active(), most=100)

    def delete(self, request: Request) -> Entry:
        known = self._store.one(request["VpcConnectorArn"], self._prefix, "VPC connector")
        if self._used(known["VpcConnectorArn"]):
            raise invalid_request(
                f"Provided VPC connector arn is being used by other services. ARN: {known['VpcConnectorArn']}"
            )
        gone = known | {"Status": "INACTIVE", "DeletedAt": time.time()}
        self._store.keep(known["VpcConnectorArn"], gone)
        return {"VpcConnector": gone}

    def _active(self) -> list[Entry]:
        known = [one for arn, one in self._store.more.items() if arn.startswith(self._prefix)]
        return [one for one in known if one["Status"] == "ACTIVE"]

    def _used(self, arn: str) -> bool:
        living = [service for service in self._store.services.values() if service.status != "DELETED"]
        egress = [one.network.get("EgressConfiguration", {}) for service in living for one in (service.shown,)]
        return any(one.get("VpcConnectorArn") == arn for one in egress)


class Ingress:
    """The operations on VPC ingress connections."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, f"{prefix}:vpcingressconnection"
        _, _, _, self._region, self._account = prefix.split(":")

    def create(self, request: Request) -> Entry:
        name, service = request["VpcIngressConnectionName"], request["ServiceArn"]
        if service not in self._store.services:
            raise invalid_request(f"Service not found: {service}")
        if any(one["VpcIngressConnectionName"] == name for one in self._living()):
            raise invalid_request(f"VPC ingress connection with the provided name already exists: {name}.")
        where, id_ = request["IngressVpcConfiguration"], new_id()
        arn = f"{self._prefix}/{name}/{id_}"
        self._store.keep(arn, {
            "VpcIngressConnectionArn": arn, "VpcIngressConnectionName": name, "ServiceArn": service,
            "Status": "AVAILABLE", "AccountId": self._account, "IngressVpcConfiguration": where,
            "DomainName": f"{id_[:10]}.{where.get('VpcId', 'vpc')}.{self._region}.awsapprunner.com",
            "CreatedAt": time.time(),
        }, request.get("Tags"))  # fmt: skip
        return {"VpcIngressConnection": self._store.more[arn]}

    def describe(self, request: Request) -> Entry:
        return {"VpcIngressConnection": self._one(request)}

    def update(self, request: Request) -> Entry:
        changed = self._one(request) | {"IngressVpcConfiguration": request["IngressVpcConfiguration"]}
        self._store.keep(changed["VpcIngressConnectionArn"], changed)
        return {"VpcIngressConnection": changed}

    def list_all(self, request: Request) -> dict[str, object]:
        wanted = (request.get("Filter") or {}).get("ServiceArn")
        found = [one for one in self._living() if wanted in (None, one["ServiceArn"])]
        names = ("VpcIngressConnectionArn", "ServiceArn")
        summaries = [{name: one[name] for name in names} for one in found]
        return page(request, "VpcIngressConnectionSummaryList", summaries, most=100)

    def delete(self, request: Request) -> Entry:
        gone = self._one(request) | {"Status": "DELETED", "DeletedAt": time.time()}
        self._store.keep(gone["VpcIngressConnectionArn"], gone)
        return {"VpcIngressConnection": gone}

    def of(self, service: str) -> list[Entry]:
        """What a service's custom domains may lead to inside of VPCs."""
        return [one for one in self._living() if one["ServiceArn"] == service]

    def _one(self, request: Request) -> Entry:
        known = self._store.one(request["VpcIngressConnectionArn"], self._prefix, "VPC ingress connection")
        if known["Status"] == "DELETED":
            raise Refusal("ResourceNotFoundException", f"Resource not found: {known['VpcIngressConnectionArn']}")
        return known

    def _living(self) -> list[Entry]:
        known = [one for arn, one in self._store.more.items() if arn.startswith(self._prefix)]
        return [one for one in known if one["Status"] != "DELETED"]
