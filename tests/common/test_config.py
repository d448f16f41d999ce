"""Reading the environment: wrong values are named, secrets are never shown."""

import dataclasses
import pickle
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dashboard.config
import provider.config
from common.config import ConfigError, Secret, decimal_number, read_config, require_secret, url, whole_number

CONFIGS = [provider.config.Config, dashboard.config.Config]
PASSWORD = "s3cret-Pa55"


def variables(model: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(model) if "variable" in field.metadata]


@pytest.mark.parametrize("model", CONFIGS)
def test_an_empty_environment_gives_the_documented_defaults_and_no_secret(model: Any) -> None:
    config = read_config(model, {})
    assert config.data_dir == Path(".nightaudit")
    assert config.host == "127.0.0.1"
    assert config.workers == 1
    assert config.database_url is None
    assert not any(isinstance(getattr(config, field.name), Secret) for field in variables(model))


def test_the_defaults_are_those_of_the_contract() -> None:
    of_provider, of_dashboard = read_config(provider.config.Config, {}), read_config(dashboard.config.Config, {})
    assert (of_provider.port, of_dashboard.port) == (9000, 8000)
    assert (of_provider.generator_rate, of_provider.stores_rate, of_provider.past_stays) == (60, 60, "refuse")
    assert of_provider.accounting_url == "http://127.0.0.1:8000/front-desk"
    assert of_dashboard.provider_url == "http://127.0.0.1:9000"
    assert of_dashboard.offers_url == "http://127.0.0.1:9000/api/v1"
    assert of_dashboard.stores_url == "http://127.0.0.1:9000/stores"
    assert (of_dashboard.ingest_seconds, of_dashboard.offers_seconds) == (5, 60)
    assert (of_dashboard.offers_concurrency, of_dashboard.stores_seconds) == (50, 3600)


@pytest.mark.parametrize("model", CONFIGS)
def test_every_wrong_variable_is_named_in_one_line_and_its_value_is_not(model: Any) -> None:
    checked = [
        field.metadata["variable"]
        for field in variables(model)
        if field.metadata["parse"].__name__ not in ("text", "secret", "path", "switch")
    ]
    assert len(checked) > 5

    with pytest.raises(ConfigError) as caught:
        read_config(model, dict.fromkeys(checked, f"???{PASSWORD}"))

    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    assert [name for name in checked if name not in message] == []


@pytest.mark.parametrize("model", CONFIGS)
def test_no_secret_is_seen_in_a_configuration_however_it_is_looked_at(model: Any) -> None:
    secrets = [field for field in variables(model) if field.metadata["parse"].__name__ in ("secret", "database_url")]
    value = f"postgresql://user:{PASSWORD}@127.0.0.1/db"
    config = read_config(model, {field.metadata["variable"]: value for field in secrets})
    assert all(getattr(config, field.name).reveal() == value for field in secrets)

    looks = [repr(config), str(config), f"{config}", str(dataclasses.asdict(config)), str(vars(config))]
    looks.append(msgspec.json.encode(config, enc_hook=str).decode())
    assert [look for look in looks if PASSWORD in look] == []


def test_no_secret_is_seen_in_a_traceback_of_what_held_it() -> None:
    held = Secret(PASSWORD)

    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match="Secret") as caught:
        fail(held)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert PASSWORD not in "".join(shown.format())


def test_secrets_are_compared_by_value_and_survive_pickling() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert pickle.loads(pickle.dumps(Secret("a"))).reveal() == "a"


def test_demo_values_count_in_the_demo_alone_and_what_is_set_comes_first() -> None:
    assert read_config(provider.config.Config, {}).jwt_secret is None
    assert read_config(provider.config.Config, {"NIGHTAUDIT_DEMO": "0"}).jwt_secret is None
    demo = read_config(provider.config.Config, {"NIGHTAUDIT_DEMO": "1"})
    assert demo.jwt_secret is not None
    assert demo.accounting_secret == read_config(dashboard.config.Config, {"NIGHTAUDIT_DEMO": "1"}).accounting_secret
    given_one = read_config(provider.config.Config, {"NIGHTAUDIT_DEMO": "1", "PROVIDER_JWT_SECRET": "mine"})
    assert given_one.jwt_secret == Secret("mine")


def test_a_missing_secret_is_named_where_it_is_needed() -> None:
    assert require_secret(Secret("a"), "PROVIDER_JWT_SECRET") == Secret("a")
    with pytest.raises(ConfigError, match="PROVIDER_JWT_SECRET is not set"):
        require_secret(None, "PROVIDER_JWT_SECRET")


def test_an_empty_variable_is_an_unset_one() -> None:
    assert read_config(provider.config.Config, {"PROVIDER_PORT": "  ", "PROVIDER_DATABASE_URL": ""}).port == 9000


@pytest.mark.parametrize(
    "value",
    [
        "mysql://u@h/db",
        "postgresql//u@h/db",
        "host=localhost dbname=x",
        "postgresql://u:p@h:port/db",
        "postgresql://u:p@h:99999/db",
        "postgresql://u:p@[::1/db",
    ],
)
def test_a_database_url_that_no_driver_could_use_is_refused_at_the_start(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^PROVIDER_DATABASE_URL must be a postgresql:// URL$"):
        read_config(provider.config.Config, {"PROVIDER_DATABASE_URL": value})


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u@h/db",
        "postgres://u:p%40@127.0.0.1:5432/db?sslmode=disable",
        "postgresql://postgres@/provider?host=/tmp/some%20where&port=5432",
    ],
)
def test_the_forms_of_a_postgresql_url_are_taken(value: str) -> None:
    assert read_config(provider.config.Config, {"PROVIDER_DATABASE_URL": value}).database_url == Secret(value)


@pytest.mark.parametrize(
    "value", ["ftp://h", "http://", "127.0.0.1:9000", "http://h:port", "http://h:99999", "//h", " "]
)
def test_what_is_no_http_url_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be a URL"):
        url("http", "https")(value)


def test_a_url_loses_its_trailing_slash() -> None:
    assert url("http")("http://h:1/base/") == "http://h:1/base"


@given(st.integers(-(10**6), 10**6))
def test_a_whole_number_within_its_bounds_is_read_and_any_other_is_refused(number: int) -> None:
    parse = whole_number(-5, 1000)
    if -5 <= number <= 1000:
        assert parse(str(number)) == number
    else:
        with pytest.raises(ValueError, match="from -5 to 1000"):
            parse(str(number))


@pytest.mark.parametrize("value", ["1.5", "1e3", "0x10", "1_000", "one", "", "+1", "٣", "nan", "9" * 50])
def test_what_only_resembles_a_whole_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number"):
        whole_number(0, 10_000)(value)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "1e3", "0x1", "", "1,5", "٣"])
def test_what_only_resembles_a_decimal_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        decimal_number(0, 10_000)(value)
