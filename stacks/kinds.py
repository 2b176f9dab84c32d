"""The kinds of scalars that settings are made of: regions, ARNs, addresses, paths, numbers within limits.

Comes in: one value of a settings file. Goes out: the same value, or one finding with its remedy; each kind also says
what it is to the JSON schema. A kind knows nothing of the keys around it, and never asks the cloud.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from releasectl.document import shown, wrong

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_ACCOUNT = re.compile(r"[0-9]{12}")
_BACKEND = re.compile(r"([a-z][a-z0-9+]*://\S+)?")
_ENVIRONMENT = re.compile(r"([a-z][a-z0-9-]{0,30})?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = re.compile(r"AWSAPPRUNNER.*|RELEASE_.*|PORT")
_KEY = re.compile(r"(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?")
# Secrets Manager adds six characters to a name; a JSON key, stage and version may follow.
_SECRET = re.compile(
    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}(:[^:\s]*:[^:\s]*:[^:\s]*)?"
    r"|arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[\w./-]+"
)
_BOUNDARY = re.compile(r"(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\w+=,.@/-]+)?")
_CERTIFICATE = re.compile(r"(arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+)?")
_HOST = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_VPC = re.compile(r"(vpc-[0-9a-f]{8,17})?")
_SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")
_GROUP = re.compile(r"sg-[0-9a-f]{8,17}")
_ENDPOINT = re.compile(r"(vpce-[0-9a-f]{8,17})?")
_PERMISSIONS = re.compile(r"(permissions/[A-Za-z0-9][A-Za-z0-9._-]*\.json)?")


@dataclass(frozen=True)
class Text:
    """A text that `known` matches whole; `message` goes on from "`key` is `value`, "."""

    known: re.Pattern[str]
    message: str
    remedy: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, object]:
        return {"type": "string", "pattern": f"^({self.known.pattern})$"}

    def _check(self, text: str) -> str:
        if self.known.fullmatch(text):
            return text
        raise wrong(f"is {shown(text)}, {self.message}", self.remedy)


@dataclass(frozen=True)
class Between:
    """A number within the limits, which are allowed themselves; `kind` is its name in a JSON schema, `note` goes on
    from what helps.
    """

    low: int
    high: int
    kind: str = "integer"
    note: str = ""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, object]:
        return {"type": self.kind, "minimum": self.low, "maximum": self.high}

    def _check(self, number: float) -> float:
        if self.low <= number <= self.high:
            return number
        limits = f"{self.low} to {self.high}"
        raise wrong(f"is {number}, outside {limits}", f"Write a number from {limits}{self.note}.")


def _path(text: str) -> str:
    if text.startswith("/") and not re.search(r"\s", text):
        return text
    raise wrong(f"is {shown(text)}, which is no path of a URL", "Begin it with `/`.")


def _optional_path(text: str) -> str:
    return _path(text) if text else text


def _free(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise wrong("is no name for a variable", "Use letters, digits and `_`, no digit first.")
    if _RESERVED.fullmatch(name):
        remedy = "Rename it; AWSAPPRUNNER*, RELEASE_* and PORT are set by App Runner and by the release."
        raise wrong("is a reserved variable", remedy)
    return name


Region = Annotated[str, Text(_REGION, "which is no AWS region", "Write one such as `eu-west-1`.")]
AccountId = Annotated[
    str,
    Text(_ACCOUNT, "which is no AWS account", 'Write its 12 digits in quotes, such as `"123456789012"`.'),
]
Backend = Annotated[
    str,
    Text(_BACKEND, "which is no URL", 'Write one such as `s3://bucket?region=eu-west-1`, or `""`.'),
]
Environment = Annotated[
    str,
    Text(_ENVIRONMENT, "which is no environment", 'Name an environment such as `staging`, or `""`.'),
]
SecretArn = Annotated[
    str,
    Text(
        _SECRET,
        "which is no ARN of a secret or parameter",
        "Copy the full ARN from Secrets Manager (with its last six characters) or from Parameter Store.",
    ),
]
KeyArn = Annotated[
    str,
    Text(_KEY, "which is no ARN of a KMS key", 'Copy the key\'s ARN, `arn:aws:kms:...:key/...`, or `""`.'),
]
BoundaryArn = Annotated[
    str,
    Text(
        _BOUNDARY,
        "which is no ARN of an IAM policy",
        'Copy what `releasectl bootstrap` printed, `arn:aws:iam::...:policy/...`, or write `""`.',
    ),
]
CertificateArn = Annotated[
    str,
    Text(
        _CERTIFICATE,
        "which is no ARN of a certificate",
        'Copy it from Certificate Manager, `arn:aws:acm:...:certificate/...`, or write `""`.',
    ),
]
Host = Annotated[
    str,
    Text(_HOST, "which is no name of a host", "Write one such as `app.example.com`, in lower case, without scheme."),
]
Vpc = Annotated[str, Text(_VPC, "which is no VPC", 'Write its id, `vpc-...`, or `""`.')]
Subnet = Annotated[str, Text(_SUBNET, "which is no subnet", "Write its id, `subnet-...`.")]
SecurityGroup = Annotated[str, Text(_GROUP, "which is no security group", "Write its id, `sg-...`.")]
VpcEndpoint = Annotated[str, Text(_ENDPOINT, "which is no VPC endpoint", 'Write its id, `vpce-...`, or `""`.')]
Permissions = Annotated[
    str,
    Text(
        _PERMISSIONS,
        "which is no policy of the program",
        'Put the policy into `stacks/permissions/` and write `permissions/NAME.json`, or `""`.',
    ),
]
Variable = Annotated[str, AfterValidator(_free)]
UrlPath = Annotated[str, AfterValidator(_path), WithJsonSchema({"type": "string", "pattern": "^/"})]
OptionalUrlPath = Annotated[str, AfterValidator(_optional_path)]
Port = Annotated[int, Between(1, 65535)]
