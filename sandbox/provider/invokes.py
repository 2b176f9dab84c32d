"""The three lookups that a program makes: who am I, which region, which partition.

Comes in: the function's token, its arguments, the configuration. Goes out: its result by the provider's names.
"""

from collections.abc import Callable, Mapping

from sandbox.provider.aws import Clients
from sandbox.provider.inputs import Configuration
from sandbox.provider.values import Properties

Invoke = Callable[[Clients, Configuration, Properties], Properties]


def _caller(clients: Clients, configuration: Configuration, _arguments: Properties) -> Properties:
    answer = clients.get("sts", configuration.region).get_caller_identity()
    account = answer["Account"]
    return {"accountId": account, "arn": answer["Arn"], "userId": answer["UserId"], "id": account}


def _region(_clients: Clients, configuration: Configuration, arguments: Properties) -> Properties:
    region = arguments.get("region") or arguments.get("name") or configuration.region
    endpoint = f"ec2.{region}.amazonaws.com"
    return {"region": region, "name": region, "id": region, "description": region, "endpoint": endpoint}


def _partition(_clients: Clients, _configuration: Configuration, _arguments: Properties) -> Properties:
    suffix = "amazonaws.com"
    return {"partition": "aws", "id": "aws", "dnsSuffix": suffix, "reverseDnsPrefix": "com.amazonaws"}


INVOKES: Mapping[str, Invoke] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
}
