"""The configuration from the environment: invalid variables are named, secrets are never shown."""

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
from common.config import (
    ConfigError,
    Secret,
    Secrets,
    decimal_number,
    describe_unknown_variables,
    read_config,
    require_secret,
    secret_url,
    shown_url,
    url,
    whole_number,
)

CONFIGS = [provider.config.Config, dashboard.config.Config]
PASSWORD = "s3cret-Pa55"
SECRET_PARSERS = ("secret", "rotating_secret", "upstream_secret")


def variables(model: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(model) if "variable" in field.metadata]


@pytest.mark.parametrize("model", CONFIGS)
def test_an_empty_environment_results_in_the_documented_defaults_without_secrets(model: Any) -> None:
    config = read_config(model, {})
    assert config.data_dir == Path(".nightaudit")
    assert config.host == "127.0.0.1"
    assert config.workers == 1
    assert config.database_url is None
    secrets = {name for name, value in vars(config).items() if isinstance(value, Secret | Secrets)}
    assert secrets <= {"provider_url", "stores_url"}  # addresses that may have a password


def test_the_defaults_are_those_of_the_specification() -> None:
    of_provider, of_dashboard = read_config(provider.config.Config, {}), read_config(dashboard.config.Config, {})
    assert (of_provider.port, of_dashboard.port) == (9000, 8000)
    assert (of_provider.generator_rate, of_provider.stores_rate, of_provider.past_stays) == (60, 60, "refuse")
    assert of_provider.accounting_url == "http://127.0.0.1:8000/front-desk"
    assert of_dashboard.provider_url == Secret("http://127.0.0.1:9000")
    assert of_dashboard.offers_url == "http://127.0.0.1:9000/api/v1"
    assert of_dashboard.stores_url == Secret("http://127.0.0.1:9000/stores")
    assert (of_dashboard.ingest_seconds, of_dashboard.offers_seconds) == (5, 60)
    assert (of_dashboard.offers_concurrency, of_dashboard.stores_seconds) == (50, 3600)


@pytest.mark.parametrize("model", CONFIGS)
def test_every_invalid_variable_is_named_in_one_line_without_its_value(model: Any) -> None:
    checked = [
        field.metadata["variable"]
        for field in variables(model)
        if field.metadata["parse"].__name__ not in ("text", "line_of_text", "path", "switch", *SECRET_PARSERS)
    ]
    assert len(checked) > 5

    with pytest.raises(ConfigError) as caught:
        read_config(model, dict.fromkeys(checked, f"???://{PASSWORD}"))

    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    assert [name for name in checked if name not in message] == []


@pytest.mark.parametrize("model", CONFIGS)
def test_no_representation_of_a_configuration_contains_a_secret(model: Any) -> None:
    kinds = (*SECRET_PARSERS, "database_url")
    secrets = [field for field in variables(model) if field.metadata["parse"].__name__ in kinds]
    value = f"postgresql://user:{PASSWORD}@127.0.0.1/db"
    config = read_config(model, {field.metadata["variable"]: value for field in secrets})
    assert len(secrets) > 3
    for field in secrets:
        value_read = getattr(config, field.name)
        assert (value_read.current if isinstance(value_read, Secrets) else value_read).reveal() == value

    texts = [repr(config), str(config), f"{config}", str(dataclasses.asdict(config)), str(vars(config))]
    texts.append(msgspec.json.encode(config, enc_hook=str).decode())
    assert [text for text in texts if PASSWORD in text] == []


def test_a_traceback_with_local_variables_contains_no_secret() -> None:

    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match="Secret") as caught:
        fail(Secret(PASSWORD))
    formatted = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert PASSWORD not in "".join(formatted.format())


def test_secrets_are_compared_by_value_and_survive_pickling() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert pickle.loads(pickle.dumps(Secret("a"))).reveal() == "a"


def test_demo_values_apply_only_in_the_demo_to_unset_variables() -> None:
    assert read_config(provider.config.Config, {}).jwt_secret is None
    assert read_config(provider.config.Config, {"NIGHTAUDIT_DEMO": "0"}).jwt_secret is None
    demo = read_config(provider.config.Config, {"NIGHTAUDIT_DEMO": "1"})
    assert demo.jwt_secret is not None
    assert demo.accounting_secret == read_config(dashboard.config.Config, {"NIGHTAUDIT_DEMO": "1"}).accounting_secret
    overridden = read_config(provider.config.Config, {"NIGHTAUDIT_DEMO": "1", "PROVIDER_JWT_SECRET": "mine"})
    assert overridden.jwt_secret == Secrets(Secret("mine"))


@pytest.mark.parametrize("model", CONFIGS)
def test_outside_the_demo_a_secret_of_fewer_than_16_characters_is_refused(model: Any) -> None:
    chosen = [
        field.metadata["variable"]
        for field in variables(model)
        if field.metadata["parse"].__name__ in ("secret", "rotating_secret")
    ]
    assert len(chosen) >= 4

    with pytest.raises(ConfigError) as caught:
        read_config(model, dict.fromkeys(chosen, "x" * 15))
    assert [name for name in chosen if f"{name} must have at least 16 characters" not in str(caught.value)] == []
    assert "x" * 15 not in str(caught.value)
    read_config(model, dict.fromkeys(chosen, "x" * 16))
    read_config(model, {**dict.fromkeys(chosen, "x"), "NIGHTAUDIT_DEMO": "1"})


def test_each_value_of_a_secret_that_is_being_replaced_has_the_least_length() -> None:
    long, other = "a" * 16, "b" * 16
    both = read_config(dashboard.config.Config, {"DASHBOARD_API_TOKEN": f"{long}, {other}"}).api_token
    assert both == Secrets(Secret(long), Secret(other))
    for value in (f"{long},{'b' * 15}", f"{'b' * 15},{long}"):
        with pytest.raises(ConfigError, match="at least 16 characters"):
            read_config(dashboard.config.Config, {"DASHBOARD_API_TOKEN": value})
    for value in (f"{long},", f",{long}", f"{long},,{other}", ","):
        with pytest.raises(ConfigError, match="must not have an empty value"):
            read_config(dashboard.config.Config, {"DASHBOARD_API_TOKEN": value})


def test_the_token_of_a_foreign_feed_may_be_short() -> None:
    assert read_config(dashboard.config.Config, {"DASHBOARD_FEED_TOKEN": "abc"}).feed_token == Secret("abc")


@pytest.mark.parametrize(
    ("value", "accepted"),
    [("old", True), ("new", True), ("", False), ("ol", False), ("old,new", False), ("OLD", False), ("\ud800", False)],
)
def test_every_value_of_a_secret_is_accepted_and_no_other(value: str, accepted: bool) -> None:
    secrets = Secrets(Secret("old"), Secret("new"))
    assert secrets.accepts(value) is accepted
    assert secrets.current == Secret("old")
    assert list(secrets) == [Secret("old"), Secret("new")]
    assert "old" not in f"{secrets!r} {secrets}"


def test_a_missing_secret_is_named_when_it_is_required() -> None:
    assert require_secret(Secret("a"), "PROVIDER_JWT_SECRET") == Secret("a")
    with pytest.raises(ConfigError, match="PROVIDER_JWT_SECRET is not set"):
        require_secret(None, "PROVIDER_JWT_SECRET")


def test_an_empty_variable_counts_as_unset() -> None:
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
def test_an_invalid_database_url_is_refused(value: str) -> None:
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
def test_all_forms_of_a_postgresql_url_are_accepted(value: str) -> None:
    assert read_config(provider.config.Config, {"PROVIDER_DATABASE_URL": value}).database_url == Secret(value)


@pytest.mark.parametrize(
    "value",
    [
        "ftp://h",
        "http://",
        "127.0.0.1:9000",
        "http://h:port",
        "http://h:99999",
        "//h",
        " ",
        "http://a..b",
        "http://h\u2100",
    ],
)
def test_an_invalid_http_url_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be a URL"):
        url("http", "https")(value)


@pytest.mark.parametrize("value", [f"http://user:{PASSWORD}@h/base", f"http://:{PASSWORD}@h", "https://user@h"])
def test_a_url_that_people_see_has_no_user_and_no_password(value: str) -> None:
    with pytest.raises(ValueError, match="must not contain a user or a password"):
        url("http", "https")(value)
    assert secret_url("http", "https")(value).reveal() == value


@pytest.mark.parametrize("value", [f"http://user:{PASSWORD}@h:1/base?key={PASSWORD}#{PASSWORD}", "http://h:1/base"])
def test_a_url_is_shown_without_user_password_query_and_fragment(value: str) -> None:
    assert shown_url(Secret(value)) == "http://h:1/base"


def test_a_url_loses_its_trailing_slash() -> None:
    assert url("http")("http://h:1/base/") == "http://h:1/base"


@given(st.integers(-(10**6), 10**6))
def test_a_whole_number_is_accepted_only_within_its_bounds(number: int) -> None:
    parse = whole_number(-5, 1000)
    if -5 <= number <= 1000:
        assert parse(str(number)) == number
    else:
        with pytest.raises(ValueError, match="from -5 to 1000"):
            parse(str(number))


@pytest.mark.parametrize("value", ["1.5", "1e3", "0x10", "1_000", "one", "", "+1", "٣", "nan", "9" * 50])
def test_an_invalid_whole_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number"):
        whole_number(0, 10_000)(value)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "1e3", "0x1", "", "1,5", "٣"])
def test_an_invalid_decimal_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        decimal_number(0, 10_000)(value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DASHBORD_PORT", "DASHBOARD_PORT"),
        ("DASHBOARD_PROT", "DASHBOARD_PORT"),
        ("DASHBOARD_OFFER_URL", "DASHBOARD_OFFERS_URL"),
        ("dashboard_port", None),
        ("DASHBOARD_FEED_DATABASE_UR", "DASHBOARD_READ_DATABASE_URL"),
        ("NIGHTAUDIT_DATADIR", "NIGHTAUDIT_DATA_DIR"),
        ("NIGHT_AUDIT_DATA_DIR", "NIGHTAUDIT_DATA_DIR"),
    ],
)
def test_a_misspelt_variable_is_reported_with_the_most_similar_one(name: str, nearest: str | None) -> None:
    expected = [f"{name} is not a known variable; did you mean {nearest}?"] if nearest else []

    assert describe_unknown_variables(dashboard.config.Config, {name: "1"}) == expected


def test_an_unknown_variable_that_resembles_none_is_reported_too() -> None:
    environment = {"DASHBOARD_X": "1"}

    assert describe_unknown_variables(dashboard.config.Config, environment) == ["DASHBOARD_X is not a known variable"]


@pytest.mark.parametrize("model", CONFIGS)
def test_variables_of_both_applications_the_tests_and_other_programs_are_not_reported(model: Any) -> None:
    known = {field.metadata["variable"] for each in CONFIGS for field in variables(each)}
    others = {"HOME", "PATH", "POSTGRES_PASSWORD", "PORT", "DATABASE_URL", "NIGHTAUDIT_TEST_POSTGRES", "MAKELEVEL"}

    assert describe_unknown_variables(model, dict.fromkeys(known | others, "1")) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("RESTAURANT_NAME", "x" * 61), ("RESTAURANT_ADDRESS", "1 Quay\nHamburg"), ("CURRENCY", "euro"),
     ("PHONE_REGION", "de"), ("PHONE_REGION", "XX"), ("TIMEZONE", "Berlin"), ("REPLY_TO", "nobody"),
     ("NOTICE_MINUTES", "-1")],
)  # fmt: skip
def test_the_restaurant_is_described_in_a_known_form(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"PROVIDER_{name} must be"):
        read_config(provider.config.Config, {f"PROVIDER_{name}": value})
