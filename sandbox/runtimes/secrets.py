"""Secrets of a service's environment, read at deployment time as App Runner does.

Comes in: variable names with ARNs of Secrets Manager secrets or SSM parameters. Goes out: their values. They go to
the instance's environment and nowhere else: no log line, message or state file holds one.
"""

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.runtimes.aws import session
from sandbox.runtimes.command import CannotRun


class Secrets:
    """Reads at the endpoint that it is given and at no other."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._endpoint = endpoint
        self._session = session(region)

    def read(self, names: Mapping[str, str]) -> dict[str, str]:
        """The value of each variable. Raises CannotRun."""
        return {variable: self._value(variable, source) for variable, source in names.items()}

    def _value(self, variable: str, source: str) -> str:
        try:
            if ":secretsmanager:" in source:
                keeper = self._session.client("secretsmanager", endpoint_url=self._endpoint)
                return str(keeper.get_secret_value(SecretId=source)["SecretString"])
            name = source.partition(":parameter")[2] or source
            parameters = self._session.client("ssm", endpoint_url=self._endpoint)
            parameter = parameters.get_parameter(Name=name, WithDecryption=True)
            return str(parameter["Parameter"]["Value"])
        except (BotoCoreError, ClientError, KeyError) as error:
            raise CannotRun(
                f"reading the secret of variable {variable} from {source}: {error}",
                "Create the secret, or correct its ARN in the settings.",
            ) from error
