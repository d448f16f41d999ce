"""Undocumented parts of libraries that the code relies on, with their present form.

A failure after an upgrade names the part and the file that uses it: adapt the file, then this table.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import hypercorn.asyncio.run
import prometheus_client.multiprocess
import pytest
import quart.utils
import quart_schema.validation
from asyncpg.pool import PoolAcquireContext, PoolConnectionHolder, PoolConnectionProxy
from asyncpg.protocol.protocol import BaseProtocol
from asyncpg.transaction import Transaction
from hypercorn.asyncio.run import uvloop_worker
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config
from quart import Quart
from quart.asgi import ASGIHTTPConnection
from quart.wrappers.request import Body
from quart.wrappers.response import DataBody
from quart_schema import OpenAPIProvider, QuartSchema
from werkzeug.local import LocalProxy
from xlsxwriter.worksheet import Worksheet

SOURCE = Path(__file__).resolve().parents[3] / "src"

BODY = "common/web/request_body.py"
CONNECTION = "common/web/connection.py"
CONNECTIONS = "common/server/connections.py"
DOCUMENT = "common/web/openapi/document.py"
POOL = "common/db/pool.py"
WORKERS = "common/server/worker_pool.py"


def advice(part: str, file: str) -> str:
    return f"{part} has changed or is gone, and src/{file} relies on it: adapt that file, then this test"


@dataclass(frozen=True)
class Callee:
    """A function or method that a file calls or overrides: the names of its parameters."""

    owner: Any
    name: str
    parameters: str
    file: str
    is_async: bool = False


CALLEES = [
    Callee(Body, "__init__", "self expected_content_length max_content_length", BODY),
    Callee(Body, "append", "self data", BODY),
    Callee(Body, "set_complete", "self", BODY),
    Callee(Body, "__anext__", "self", BODY, is_async=True),
    Callee(Body, "__await__", "self", BODY),
    Callee(ASGIHTTPConnection, "__call__", "self receive send", CONNECTION, is_async=True),
    Callee(ASGIHTTPConnection, "handle_messages", "self request receive", CONNECTION, is_async=True),
    Callee(ASGIHTTPConnection, "handle_request", "self request send", CONNECTION, is_async=True),
    Callee(ASGIHTTPConnection, "_create_request_from_scope", "self send", CONNECTION),
    Callee(ASGIHTTPConnection, "_send_response", "self send response", CONNECTION, is_async=True),
    Callee(quart.utils, "encode_headers", "headers", CONNECTION),
    Callee(LocalProxy, "_get_current_object", "self", "common/web/resources.py"),
    Callee(OpenAPIProvider, "__init__", "self app extension", DOCUMENT),
    Callee(OpenAPIProvider, "schema", "self", DOCUMENT),
    Callee(OpenAPIProvider, "build_path_parameter", "self name converter", DOCUMENT),
    Callee(OpenAPIProvider, "build_querystring_parameters", "self model", DOCUMENT),
    Callee(OpenAPIProvider, "build_response_object", "self model headers_model", DOCUMENT),
    Callee(OpenAPIProvider, "build_paths", "self rule", DOCUMENT),
    Callee(asyncpg.Connection, "execute", "self query args timeout", "common/db/time_limits.py", is_async=True),
    Callee(asyncpg.Pool, "acquire", "self timeout", POOL),
    Callee(PoolAcquireContext, "__init__", "self pool timeout", POOL),
    Callee(PoolAcquireContext, "__aenter__", "self", POOL, is_async=True),
    Callee(asyncpg.Pool, "release", "self connection timeout", POOL, is_async=True),
    Callee(asyncpg.Connection, "_on_release", "self stacklevel", POOL),
    Callee(PoolConnectionHolder, "release", "self timeout", POOL, is_async=True),
    Callee(PoolAcquireContext, "__await__", "self", POOL),
    Callee(PoolAcquireContext, "__aexit__", "self exc_type exc_val exc_tb", POOL, is_async=True),
    Callee(TCPServer, "run", "self", CONNECTIONS, is_async=True),
    Callee(TCPServer, "_read_data", "self", CONNECTIONS, is_async=True),
    Callee(TCPServer, "protocol_send", "self event", CONNECTIONS, is_async=True),
    Callee(Config, "create_sockets", "self", WORKERS),
    Callee(Worksheet, "_opt_close", "self", "common/tables.py"),
    Callee(prometheus_client.multiprocess, "mark_process_dead", "pid path", WORKERS),
]

POOL_ARGUMENTS = {
    *("min_size", "max_size", "max_queries", "max_inactive_connection_lifetime", "connection_class", "record_class"),
    *("connect", "setup", "init", "reset", "loop"),
}


@pytest.mark.parametrize("callee", CALLEES, ids=lambda callee: f"{callee.owner.__name__}.{callee.name}")
def test_a_private_function_has_the_parameters_that_we_use(callee: Callee) -> None:
    function = getattr(callee.owner, callee.name, None)
    part = f"{callee.owner.__name__}.{callee.name}"
    assert function is not None, advice(part, callee.file)
    if callee.name == "_get_current_object":  # an attribute of each proxy, without a signature
        return
    assert " ".join(inspect.signature(function).parameters) == callee.parameters, advice(part, callee.file)
    assert inspect.iscoroutinefunction(function) == callee.is_async, advice(part, callee.file)


def attributes_of_an_empty_body() -> set[str]:
    return set(vars(Body(None, None)))


def attributes_of_a_response_body() -> set[str]:
    return set(vars(DataBody(b"")))


def attributes_of_an_acquisition() -> set[str]:
    return set(PoolAcquireContext.__slots__)


def attributes_of_a_proxy() -> set[str]:
    return set(PoolConnectionProxy.__slots__)


def attributes_of_a_connection() -> set[str]:
    return set(asyncpg.Connection.__slots__)


def attributes_of_a_protocol() -> set[str]:
    return set(dir(BaseProtocol))


def attributes_of_a_provider() -> set[str]:
    app = Quart(__name__)
    schema = QuartSchema(app)
    return set(vars(OpenAPIProvider(app, schema))) | set(vars(schema)) | set(vars(app))


def attributes_of_an_application() -> set[str]:
    return {name for name in ("asgi_http_class", "asgi_websocket_class", "request_class") if hasattr(Quart, name)} | (
        {"body_class"} if hasattr(Quart.request_class, "body_class") else set()
    )


@pytest.mark.parametrize(
    ("part", "attributes", "used", "file"),
    [
        ("Body", attributes_of_an_empty_body, {"_data", "_must_raise"}, BODY),
        ("DataBody", attributes_of_a_response_body, {"data", "begin", "end"}, CONNECTION),
        ("Quart", attributes_of_an_application, {"request_class", "body_class"}, BODY),
        ("Quart", attributes_of_an_application, {"asgi_http_class"}, CONNECTION),
        ("Quart", attributes_of_an_application, {"asgi_websocket_class"}, "common/web/protocol.py"),
        ("PoolAcquireContext", attributes_of_an_acquisition, {"pool", "timeout"}, POOL),
        ("PoolConnectionProxy", attributes_of_a_proxy, {"_con", "_holder"}, POOL),
        ("Connection", attributes_of_a_connection, {"_protocol"}, POOL),
        ("BaseProtocol", attributes_of_a_protocol, {"_is_cancelling"}, POOL),
        # quart-schema replaces make_response on the application itself, and we delete the replacement
        ("quart-schema", attributes_of_a_provider, {"_app", "openapi_provider", "make_response"}, DOCUMENT),
    ],
)
def test_a_private_attribute_is_there(part: str, attributes: Callable[[], set[str]], used: set[str], file: str) -> None:
    for name in used - attributes():
        pytest.fail(advice(f"{part}.{name}", file))


def test_a_view_with_a_validated_query_string_is_marked() -> None:
    @quart_schema.document_querystring(dict)
    async def view() -> None: ...

    name = getattr(quart_schema.validation, "QUART_SCHEMA_QUERYSTRING_ATTRIBUTE", "")
    assert name, advice("QUART_SCHEMA_QUERYSTRING_ATTRIBUTE", DOCUMENT)
    assert hasattr(view, name), advice("QUART_SCHEMA_QUERYSTRING_ATTRIBUTE", DOCUMENT)


def test_quart_schema_takes_a_document_of_another_class() -> None:
    parameters = inspect.signature(QuartSchema.__init__).parameters
    for name in ("openapi_provider_class", "openapi_path", "redoc_ui_path", "scalar_ui_path", "swagger_ui_path"):
        assert name in parameters, advice(f"QuartSchema({name}=…)", DOCUMENT)


def test_a_pool_takes_the_arguments_that_create_pool_would_add() -> None:
    """`asyncpg.Pool` is documented to be made by `create_pool` only, which makes no subclasses."""
    missing = POOL_ARGUMENTS - set(inspect.signature(asyncpg.Pool.__init__).parameters)
    assert not missing, advice(f"Pool({', '.join(sorted(missing))})", POOL)


def test_a_worker_of_hypercorn_takes_sockets_and_an_event() -> None:
    expected = ["config", "sockets", "shutdown_event"]
    assert list(inspect.signature(uvloop_worker).parameters) == expected, advice("uvloop_worker", WORKERS)


def test_hypercorn_makes_connections_of_the_class_in_its_module() -> None:
    assert vars(hypercorn.asyncio.run)["TCPServer"] is TCPServer, advice("run.TCPServer", CONNECTIONS)
    source = inspect.getsource(TCPServer.run)
    for part in ("self._read_data()", "self.protocol", "self.idle_task"):
        assert part in source, advice(f"TCPServer.run without {part}", CONNECTIONS)


CHECKED_NAMES = {
    *("_app", "_con", "_create_request_from_scope", "_data", "_get_current_object", "_holder", "_is_cancelling"),
    *("_on_release", "_opt_close", "_protocol", "_read_data"),
}
"""Private names of libraries that files in src use without assigning them, checked above."""


def private_names_of_others(file: Path) -> Iterator[str]:
    """Attributes with a leading underscore that a file uses and does not define itself."""
    tree = ast.parse(file.read_text())
    used: set[str] = set()
    defined: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            is_own = isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"
            (defined if is_own else used).add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "super" not in ast.dump(node):
            defined.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
    yield from used - defined


def test_every_private_name_of_a_library_is_checked_here() -> None:
    found = {name for file in SOURCE.rglob("*.py") for name in private_names_of_others(file)}
    assert found - {"_exit", "_asdict", "_replace"} == CHECKED_NAMES  # documented, of os and NamedTuple


def test_a_transaction_begins_by_a_statement_that_its_connection_executes() -> None:
    """`LimitedConnection` adds its limits to that statement."""
    source = inspect.getsource(Transaction.start)
    for used in ("query = 'BEGIN'", "await self._connection.execute(query)"):
        assert used in source, advice("Transaction.start", "common/db/time_limits.py")
