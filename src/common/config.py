"""Reads the environment into frozen dataclasses, once, at the start.

`variable(...)` declares a field with its environment variable, parser and default. `read_config` reads all fields and
raises one `ConfigError` that names every invalid variable.
"""

import hmac
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field, fields
from difflib import get_close_matches
from email.headerregistry import HeaderRegistry
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit, urlunsplit

from yarl import URL

DEMO_VARIABLE = "NIGHTAUDIT_DEMO"
"""Set by `make run`: secrets, which have no default otherwise, take their demo value."""

MIN_SECRET_LENGTH = 16
"""The least number of characters of a secret outside the demo."""


class ConfigError(Exception):
    """The environment is invalid; the message is one line that names each invalid variable."""


class Secret:
    """A value that no `repr`, log line or traceback shows; `reveal()` returns it.

    Not a dataclass, because `asdict` or a JSON encoder would find the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class Secrets:
    """One secret, or several while it is being replaced: each is accepted, and the first is `current`.

    current: the one that signs, and that is sent to others.
    """

    __slots__ = ("_all",)

    def __init__(self, current: Secret, *others: Secret) -> None:
        self._all = (current, *others)

    @property
    def current(self) -> Secret:
        return self._all[0]

    def accepts(self, value: str) -> bool:
        """Whether the value is one of the secrets; takes the same time whichever it is, or if it is none of them."""
        given = value.encode("utf-8", "surrogatepass")
        matches = [hmac.compare_digest(given, each.reveal().encode()) for each in self._all]  # all of them
        return any(matches)

    def __iter__(self) -> Iterator[Secret]:
        return iter(self._all)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secrets) and self._all == other._all

    def __hash__(self) -> int:
        return hash(self._all)

    def __repr__(self) -> str:
        return "Secrets(***)"

    __str__ = __repr__


def text(value: str) -> str:
    return value


def secret(value: str) -> Secret:
    """A secret that the operator chooses."""
    return Secret(value)


def rotating_secret(value: str) -> Secrets:
    """A secret that the operator chooses, or several, separated by commas, while one replaces another."""
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise ValueError("must not have an empty value beside a comma")
    return Secrets(*map(Secret, parts))


def upstream_secret(value: str) -> Secret:
    """A secret that the operator of another service chose, so it may be short."""
    return Secret(value)


def path(value: str) -> Path:
    return Path(value).expanduser()


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A parser for whole numbers from `low` to `high`, both included."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def zero_or_whole_number(low: int, high: int) -> Callable[[str], int]:
    """A parser for 0, and for whole numbers from `low` to `high`, both included."""
    parse_number = whole_number(low, high)

    def parse(value: str) -> int:
        try:
            return 0 if value == "0" else parse_number(value)
        except ValueError:
            raise ValueError(f"must be 0 or a whole number from {low} to {high}") from None

    return parse


def decimal_number(low: float, high: float) -> Callable[[str], float]:
    """A parser for finite decimal numbers from `low` to `high`, both included."""

    def parse(value: str) -> float:
        if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", value) or not low <= float(value) <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(value)

    return parse


def switch(value: str) -> bool:
    """True unless the value is 0."""
    return value != "0"


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return parse


def url(*schemes: str) -> Callable[[str], str]:
    """A parser for absolute URLs of the given schemes without a user; a trailing slash is dropped."""

    def parse(value: str) -> str:
        parts = _split_url(value, schemes)
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not contain a user or a password")
        return value.rstrip("/")

    return parse


def url_or_none(*schemes: str) -> Callable[[str], str | None]:
    """A parser for URLs without a user, and for the word `none`: there is no such service."""
    parse_url = url(*schemes)

    def parse(value: str) -> str | None:
        return None if value == "none" else parse_url(value)

    return parse


def secret_url(*schemes: str) -> Callable[[str], Secret]:
    """A parser for URLs that may hold a password and are therefore secrets."""

    def parse(value: str) -> Secret:
        _split_url(value, schemes)
        return Secret(value.rstrip("/"))

    return parse


def _split_url(value: str, schemes: Collection[str]) -> SplitResult:
    """The parts of an absolute URL. Raises ValueError."""
    fault = f"must be a URL with scheme {' or '.join(schemes)}"
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises ValueError for an invalid port
        (parts.hostname or "").encode("idna")  # and UnicodeError, which is one, for what cannot be the name of a host
        URL(value)
    except ValueError:
        raise ValueError(fault) from None
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(fault)
    return parts


def shown_url(url: Secret) -> str:
    """The URL as people may see it: without user, password, query and fragment."""
    parts = urlsplit(url.reveal())
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def url_or_directory(*schemes: str) -> Callable[[str], Secret]:
    """A parser for URLs that may hold a password or a signature, and for paths of directories."""
    parse_url = secret_url(*schemes)

    def parse(value: str) -> Secret:
        return parse_url(value) if "://" in value else Secret(value)

    return parse


def line(max_length: int) -> Callable[[str], str]:
    """A parser for one line of text of at most `max_length` characters."""

    def line_of_text(value: str) -> str:
        if not value.isprintable() or len(value) > max_length:
            raise ValueError(f"must be one line of at most {max_length} characters that can be seen")
        return value

    return line_of_text


def mailbox(value: str) -> str:
    """One e-mail address, alone or as `Name <address>`."""
    header: Any = HeaderRegistry()("From", value) if value.isprintable() else None
    if header is None or header.defects or len(header.addresses) != 1 or "@" not in header.addresses[0].addr_spec:
        raise ValueError("must be one e-mail address, alone or as Name <address>")
    return value


def database_url(value: str) -> Secret:
    """A PostgreSQL connection URI, which may hold a password and is therefore a secret."""
    try:
        usable = re.match(r"postgres(ql)?://", value) and urlsplit(value.partition("?")[0]).port != 0
    except ValueError:
        usable = None
    if not usable:
        raise ValueError("must be a postgresql:// URL")
    return Secret(value)


def variable(
    name: str,
    parse: Callable[[str], Any],
    *,
    default: str | None = None,
    demo: str | None = None,
) -> Any:
    """A dataclass field that is read from the environment variable `name`.

    An unset or empty variable takes the value `demo` in the demo, else `default`; without either the field is None.
    """
    return field(metadata={"variable": name, "parse": parse, "default": default, "demo": demo})


def variables(prefix: str, parse: Callable[[str], Any]) -> Any:
    """A dataclass field with the values of all variables whose names begin so, by the rest of their names."""
    return field(metadata={"prefix": prefix, "parse": parse})


C = TypeVar("C")


def read_config(model: type[C], environment: Mapping[str, str]) -> C:
    """Fill the frozen dataclass `model` from `environment`.

    Raises ConfigError naming every invalid variable. The message never contains a value.
    """
    demo = environment.get(DEMO_VARIABLE, "") not in ("", "0")
    values: dict[str, Any] = {}
    faults: list[str] = []
    for item in fields(model):  # type: ignore[arg-type]  # a dataclass; its type cannot say so
        meta = item.metadata
        if "prefix" in meta:
            values[item.name] = _values_of(meta["prefix"], meta["parse"], environment, faults)
        if "variable" not in meta:
            continue
        value = environment.get(meta["variable"], "").strip()
        if not value and demo:
            value = meta["demo"] or ""
        if not value:
            value = meta["default"] or ""
        try:
            values[item.name] = meta["parse"](value) if value else None
            if not demo:
                require_long_secrets(values[item.name], meta["parse"])
        except ValueError as error:
            faults.append(f"{meta['variable']} {error}")
    if faults:
        raise ConfigError("; ".join(faults))
    return model(**values)


def _values_of(
    prefix: str, parse: Callable[[str], Any], environment: Mapping[str, str], faults: list[str]
) -> dict[str, Any]:
    """The parsed values of the variables that begin so; for one that is wrong a line is added to `faults`."""
    found = {}
    for name, given in environment.items():
        rest = name.removeprefix(prefix)
        if rest and name.startswith(prefix) and given.strip():
            try:
                found[rest] = parse(given.strip())
            except ValueError as error:
                faults.append(f"{name} {error}")
    return found


PREFIXES = ("NIGHTAUDIT_", "PROVIDER_", "DASHBOARD_")
"""The names of our variables begin so."""

TESTS_PREFIX = "NIGHTAUDIT_TEST_"
"""Variables of the tests, which no application reads."""

LEAST_LIKENESS = 0.85
"""How similar a name without one of our prefixes must be to a variable to count as misspelt."""


def describe_unknown_variables(model: type[Any], environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that is probably meant for the dataclass `model`, but that it does not have.

    Those are the names with the model's own prefixes, and names that are similar to one of its variables.
    """
    known = [item.metadata["variable"] for item in fields(model) if "variable" in item.metadata]
    prefixes = tuple(item.metadata["prefix"] for item in fields(model) if "prefix" in item.metadata)
    own = {name.partition("_")[0] + "_" for name in known}
    lines = []
    for name in sorted(set(environment) - set(known)):
        has_own_prefix = name.startswith(tuple(own))
        if name.startswith((TESTS_PREFIX, *prefixes)) or (name.startswith(PREFIXES) and not has_own_prefix):
            continue
        if has_own_prefix:
            prefix, _, rest = name.partition("_")
            candidates = [each.removeprefix(f"{prefix}_") for each in known if each.startswith(f"{prefix}_")]
            nearest = [f"{prefix}_{each}" for each in get_close_matches(rest, candidates, n=1)]
            lines.append(f"{name} is not a known variable" + (f"; did you mean {nearest[0]}?" if nearest else ""))
        elif nearest := get_close_matches(name, known, n=1, cutoff=LEAST_LIKENESS):
            lines.append(f"{name} is not a known variable; did you mean {nearest[0]}?")
    return lines


def require_long_secrets(value: Any, parse: Callable[[str], Any]) -> None:
    """Raises ValueError for a secret of fewer than MIN_SECRET_LENGTH characters that the operator chose."""
    if parse is secret:
        chosen = [value] if value is not None else []
    elif parse is rotating_secret:
        chosen = list(value or ())
    else:
        return
    if any(len(each.reveal()) < MIN_SECRET_LENGTH for each in chosen):
        raise ValueError(
            f"must have at least {MIN_SECRET_LENGTH} characters outside the demo; make one with: openssl rand -hex 32"
        )


S = TypeVar("S", Secret, Secrets)


def require_secrets(**secrets: Secret | Secrets | None) -> None:
    """Raise one ConfigError that names every secret that is not set."""
    if missing := [name for name, value in secrets.items() if value is None]:
        raise ConfigError(f"{', '.join(missing)} not set; there is no default outside the demo of make run")


def require_secret(value: S | None, name: str) -> S:
    """Return the secret. Raises ConfigError naming the variable when it is not set."""
    if value is None:
        raise ConfigError(f"{name} is not set and has no default outside the demo of make run")
    return value
