# ruff: noqa: ARG002, N802 - the names and the parameters are the protocol's
"""The provider protocol of the engine, in front of the declared types.

Comes in: gRPC requests, many at once. Goes out: answers; AWS errors in the Go SDK's words; a resource that exists but
failed to settle as an ErrorResourceInitFailed, so that the engine keeps it. Secrets: `acceptSecrets` stays false, so
the engine unwraps them and marks the same properties of the answer secret again. It never ends a call early on Cancel.
"""

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2
from pulumi.runtime.proto import provider_pb2 as proto
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer
from pulumi.runtime.proto.status_pb2 import Status

from sandbox.provider.aws import Clients, as_the_provider_says
from sandbox.provider.differences import Change, deletes_first, differences, top
from sandbox.provider.inputs import (
    Configuration,
    complete,
    findings,
    planned,
    settled,
    told,
    with_tags_all,
)
from sandbox.provider.invokes import INVOKES
from sandbox.provider.resource import Client, Failed, ResourceType, Update, Wait
from sandbox.provider.schema import inputs_of
from sandbox.provider.types import TYPES
from sandbox.provider.values import UNKNOWN, Properties, from_struct, overlay, plain, to_struct

DEFAULT_REGION = "us-east-1"

_KINDS = {
    (Change.ADD, False): proto.PropertyDiff.ADD,
    (Change.ADD, True): proto.PropertyDiff.ADD_REPLACE,
    (Change.UPDATE, False): proto.PropertyDiff.UPDATE,
    (Change.UPDATE, True): proto.PropertyDiff.UPDATE_REPLACE,
    (Change.DELETE, False): proto.PropertyDiff.DELETE,
    (Change.DELETE, True): proto.PropertyDiff.DELETE_REPLACE,
}

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Context(Protocol):
    """What we use of grpc.ServicerContext."""

    def peer(self) -> str: ...
    def abort(self, code: object, details: str) -> None: ...
    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None: ...


class _Unsettled(Exception):
    """The resource exists, and something after its creation failed."""

    def __init__(self, reason: str, id_: str, outputs: Properties, inputs: Properties) -> None:
        super().__init__(reason)
        self.detail = proto.ErrorResourceInitFailed(
            id=id_, properties=to_struct(outputs), inputs=to_struct(inputs), reasons=[reason]
        )


def _answered(
    method: Callable[["Provider", Request, Context], Answer],
) -> Callable[["Provider", Request, Context], Answer]:
    """Failures become gRPC statuses: the reason alone, without a word about Python."""

    @functools.wraps(method)
    def call(self: "Provider", request: Request, context: Context) -> Answer:
        try:
            return method(self, request, context)
        except _Unsettled as error:
            status = Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
            status.details.add().Pack(error.detail)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise
        except Failed as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise

    return call


class Provider(ResourceProviderServicer):
    """One process may serve several engines: each connection has a configuration of its own."""

    def __init__(self) -> None:
        self._clients = Clients()
        self._configured: dict[str, Configuration] = {}

    def Handshake(self, request: proto.ProviderHandshakeRequest, context: Context) -> proto.ProviderHandshakeResponse:
        return proto.ProviderHandshakeResponse()

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> Empty:
        """The engine's own address; nothing here ever calls back."""
        return Empty()

    def GetPluginInfo(self, request: Empty, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=version("pulumi-aws"))

    def GetSchema(self, request: proto.GetSchemaRequest, context: Context) -> proto.GetSchemaResponse:
        return proto.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": version("pulumi-aws")}))

    def CheckConfig(self, request: proto.CheckRequest, context: Context) -> proto.CheckResponse:
        return proto.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: proto.DiffRequest, context: Context) -> proto.DiffResponse:
        changed = from_struct(request.news) != from_struct(request.old_inputs)
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_SOME if changed else proto.DiffResponse.DIFF_NONE)

    def Configure(self, request: proto.ConfigureRequest, context: Context) -> proto.ConfigureResponse:
        self._configured[context.peer()] = _configuration(from_struct(request.args))
        return proto.ConfigureResponse(supportsPreview=True)

    def Cancel(self, request: Empty, context: Context) -> Empty:
        """Also called at the end of every good run; what runs is finished, never left half made."""
        self._configured.pop(context.peer(), None)
        return Empty()

    @_answered
    def Invoke(self, request: proto.InvokeRequest, context: Context) -> proto.InvokeResponse:
        if request.tok not in INVOKES:
            raise Failed(f"the sandbox's provider does not know {request.tok}; it knows {_listed(INVOKES)}")
        configuration = self._configuration(context)
        with _speaking(f"invoking {request.tok}", "STS"):
            result = INVOKES[request.tok](self._clients, configuration, from_struct(request.args))
        return proto.InvokeResponse(**{"return": to_struct(result)})

    @_answered
    def Check(self, request: proto.CheckRequest, context: Context) -> proto.CheckResponse:
        kind = _kind(request.urn)
        news, olds = from_struct(request.news), from_struct(request.olds)
        failures = [proto.CheckFailure(property=path, reason=reason) for path, reason in findings(kind, news)]
        if failures:
            return proto.CheckResponse(inputs=request.news, failures=failures)
        seed = request.randomSeed or os.urandom(16)
        name = _logical_name(request.urn)
        inputs = complete(kind, self._configuration(context), news, olds=olds, name=name, seed=seed)
        return proto.CheckResponse(inputs=to_struct(inputs))

    @_answered
    def Diff(self, request: proto.DiffRequest, context: Context) -> proto.DiffResponse:
        kind = _kind(request.urn)
        olds = from_struct(request.olds)
        news = overlay(from_struct(request.news), olds, list(request.ignoreChanges))
        changes = differences(kind, news, olds, from_struct(request.old_inputs))
        replaces = {top(path) for path in changes} & kind.replaces
        details = {
            path: proto.PropertyDiff(kind=_KINDS[change, top(path) in kind.replaces])
            for path, change in changes.items()
        }
        return proto.DiffResponse(
            changes=proto.DiffResponse.DIFF_SOME if changes else proto.DiffResponse.DIFF_NONE,
            diffs=sorted({top(path) for path in changes}),
            replaces=sorted(replaces),
            deleteBeforeReplace=bool(replaces) and deletes_first(kind, news),
            detailedDiff=details,
            hasDetailedDiff=True,
        )

    @_answered
    def Create(self, request: proto.CreateRequest, context: Context) -> proto.CreateResponse:
        kind, inputs = _kind(request.urn), plain(from_struct(request.properties))
        if request.preview:
            return proto.CreateResponse(properties=to_struct(planned(kind, inputs)))
        client = self._client(kind, inputs, context)
        label = inputs.get(kind.name) or inputs.get("serviceName") or _logical_name(request.urn)
        began = datetime.now(UTC)
        with _speaking(f"creating {kind.title} ({label})", _service_id(client)):
            id_ = kind.create(client, inputs)
        try:
            with _speaking(f"reading {kind.title} ({id_})", _service_id(client)):
                kind.wait(client, id_, Wait("create", inputs, began, request.timeout or None))
                outputs = _outputs(kind, client, id_, inputs)
        except Failed as error:
            if not kind.keeps_unsettled:
                raise
            outputs = _outputs_or(kind, client, id_, inputs)
            raise _Unsettled(str(error), id_, outputs, from_struct(request.properties)) from error
        return proto.CreateResponse(id=id_, properties=to_struct(outputs))

    @_answered
    def Read(self, request: proto.ReadRequest, context: Context) -> proto.ReadResponse:
        kind, known = _kind(request.urn), from_struct(request.properties)
        if "region" in inputs_of(kind.token).fields:
            known.setdefault("region", self._configuration(context).region)
        client = self._client(kind, known, context)
        with _speaking(f"reading {kind.title} ({request.id})", _service_id(client)):
            read = kind.read(client, request.id, known)
        if read is None:
            return proto.ReadResponse()
        id_ = read.pop("id", request.id)
        outputs = settled(kind, read, known)
        inputs = told(kind, outputs, from_struct(request.inputs))
        return proto.ReadResponse(id=id_, properties=to_struct(outputs), inputs=to_struct(inputs))

    @_answered
    def Update(self, request: proto.UpdateRequest, context: Context) -> proto.UpdateResponse:
        kind, olds = _kind(request.urn), from_struct(request.olds)
        news = plain(overlay(from_struct(request.news), olds, list(request.ignoreChanges)))
        old_inputs = from_struct(request.old_inputs)
        changed = frozenset(top(path) for path in differences(kind, news, olds, old_inputs))
        if request.preview:
            rest = {name: value for name, value in olds.items() if name not in changed}
            later = dict.fromkeys(kind.renewed if changed - {"tags"} else (), UNKNOWN)
            return proto.UpdateResponse(properties=to_struct(with_tags_all(kind, rest | news | later)))
        client = self._client(kind, news, context)
        began = datetime.now(UTC)
        try:
            with _speaking(f"updating {kind.title} ({request.id})", _service_id(client)):
                kind.update(client, Update(request.id, news, olds, changed))
                if changed - {"tags"}:
                    kind.wait(client, request.id, Wait("update", news, began, request.timeout or None))
                outputs = _outputs(kind, client, request.id, news)
        except Failed as error:
            # The bridge calls every failed update partial: old inputs and what is really there now. The engine then
            # tries the update again on the next run even if nothing differs.
            outputs = _outputs_or(kind, client, request.id, olds)
            raise _Unsettled(str(error), request.id, outputs, old_inputs) from error
        return proto.UpdateResponse(properties=to_struct(outputs))

    @_answered
    def Delete(self, request: proto.DeleteRequest, context: Context) -> Empty:
        kind, known = _kind(request.urn), from_struct(request.properties)
        client = self._client(kind, known, context)
        with _speaking(f"deleting {kind.title} ({request.id})", _service_id(client)):
            kind.delete(client, request.id, known)
        return Empty()

    def _configuration(self, context: Context) -> Configuration:
        """That of this connection; after a reconnect, what the environment says."""
        return self._configured.get(context.peer()) or _configuration({})

    def _client(self, kind: ResourceType, properties: Properties, context: Context) -> Client:
        region = properties.get("region") or self._configuration(context).region
        return self._clients.get(kind.service, region)


def _configuration(arguments: Properties) -> Configuration:
    region = arguments.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    # Nested provider settings come as JSON text.
    tags = json.loads(arguments.get("defaultTags") or "{}").get("tags") or {}
    return Configuration(region=region or DEFAULT_REGION, tags=tags)


def _kind(urn: str) -> ResourceType:
    token: str = urn.split("::")[2].rpartition("$")[2]
    if token not in TYPES:
        raise Failed(f"the sandbox's provider does not know the type {token}; it knows {_listed(TYPES)}")
    return TYPES[token]


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))


def _logical_name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _service_id(client: Client) -> str:
    return str(client.meta.service_model.service_id)


@contextmanager
def _speaking(doing: str, service_id: str) -> Iterator[None]:
    """An AWS error inside becomes Failed: what was being done, and the error as the Go SDK writes it."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see aws.Clients

    try:
        yield
    except ClientError as error:
        raise Failed(f"{doing}: {as_the_provider_says(error, service_id)}") from error
    except BotoCoreError as error:
        raise Failed(f"{doing}: {error}") from error


def _outputs(kind: ResourceType, client: Client, id_: str, known: Properties) -> Properties:
    read = kind.read(client, id_, known)
    if read is None:
        raise Failed(f"reading {kind.title} ({id_}): couldn't find resource")
    read.pop("id", None)
    return settled(kind, read, known)


def _outputs_or(kind: ResourceType, client: Client, id_: str, known: Properties) -> Properties:
    """What is there after a failure, or what was known when even that cannot be asked."""
    try:
        with _speaking(f"reading {kind.title} ({id_})", _service_id(client)):
            return _outputs(kind, client, id_, known)
    except Failed:
        return with_tags_all(kind, plain(known))
