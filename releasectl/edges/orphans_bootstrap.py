"""Objects of an account that `bootstrap` alone makes, where no state knows them: policies, the OIDC provider.

Comes in: a region and the inputs that the state remembers of a resource. Goes out: the object, or None. A person with
the rights of an administrator asks here; no role of an environment may, and none has a reason to.
"""

from collections.abc import Mapping

from releasectl.edges import aws
from releasectl.edges.found import Finder, Inputs, Object, text


def _policy(region: str, inputs: Inputs) -> Object | None:
    client = aws.session(region).client("iam", config=aws.CONFIG)
    name, pages = text(inputs, "name"), client.get_paginator("list_policies").paginate(Scope="Local")
    found = (one for page in pages for one in page["Policies"])
    return next((Object(one["Arn"], one["CreateDate"]) for one in found if one["PolicyName"] == name), None)


def _oidc(region: str, inputs: Inputs) -> Object | None:
    """An account has one an issuer, and the ARN ends with it."""
    client = aws.session(region).client("iam", config=aws.CONFIG)
    issuer = text(inputs, "url").removeprefix("https://").rstrip("/")
    for one in client.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        if one["Arn"].partition(":oidc-provider/")[2] == issuer:
            found = client.get_open_id_connect_provider(OpenIDConnectProviderArn=one["Arn"])
            return Object(one["Arn"], found.get("CreateDate"))
    return None


FOUND: Mapping[str, Finder] = {
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _oidc,
    "aws:iam/policy:Policy": _policy,
}
