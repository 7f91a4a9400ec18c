"""Query strings are read strictly, and every fault is told at once."""

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args
from urllib.parse import quote, quote_plus, urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import cursors
from hub.api import params
from hub.api.problems import Forbidden, Problem, ValidationFailed
from hub.api.records import Erasure
from hub.cursors import Cursor, Paging
from hub.model import Emotion, FieldType, MetadataIs, RecordFilter, Sentiment, query_string

TEXTS = (
    "submission_id",
    "source_type",
    "source_id",
    "source_name",
    "field_id",
    "field_group_id",
    "value_id",
    "user_id",
    "language",
)
SETS = {"field_type": get_args(FieldType), "sentiment": get_args(Sentiment), "emotions": get_args(Emotion)}
SINCE = {
    "since": "until",
    "created_since": "created_until",
    "updated_since": "updated_until",
    "value_date_min": "value_date_max",
}
MINIMA = {"value_number_min": "value_number_max", "sentiment_score_min": "sentiment_score_max"}
FLAGS = ("has_sentiment", "has_emotions", "has_translation", "value_boolean")
DATE = "must be in RFC3339 (ISO 8601) format"
ENCODED = "must be percent-encoded UTF-8"


def selection(query: str, tenant_id: str | None = None) -> RecordFilter:
    return params.read(query.encode(), RecordFilter, tenant_id=tenant_id)


def of_acme(query: str) -> RecordFilter:
    return selection(f"tenant_id=acme&{query}")


def paging(query: str) -> Paging:
    return params.read(query.encode(), Paging, tenant_id=None)


def erasure(query: str, tenant_id: str | None = None) -> Erasure:
    return params.read(query.encode(), Erasure, tenant_id=tenant_id, closed=True)


def faults(query: str) -> list[tuple[str, str]]:
    """The faults of a list's query string."""
    with pytest.raises(ValidationFailed) as refused:
        params.read(query.encode("latin-1"), RecordFilter, Paging, tenant_id=None)
    return [(fault.name, fault.reason) for fault in refused.value.invalid_params]


def faults_of_acme(query: str) -> list[tuple[str, str]]:
    return faults(f"tenant_id=acme&{query}")


def erasure_faults(query: str) -> dict[str, str]:
    with pytest.raises(ValidationFailed) as refused:
        erasure(query)
    return {fault.name: fault.reason for fault in refused.value.invalid_params}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "is required"),
        ("Tenant_id=acme", "is required"),
        ("tenant_id", "must be at least 1"),
        ("tenant_id=", "must be at least 1"),
        ("tenant_id=+", "tenant_id is required and cannot be empty"),
        ("tenant_id=%E3%80%80", "tenant_id is required and cannot be empty"),
        ("tenant_id=a%00", "must not contain NULL bytes"),
        (f"tenant_id={'x' * 256}", "must be at most 255"),
        ("tenant_id=%", ENCODED),
        ("tenant_id=%zz", ENCODED),
        ("tenant_id=%ff", ENCODED),
        ("tenant_id=%ED%A0%80", ENCODED),
        ("tenant_id=\xff", ENCODED),
    ],
)
def test_list_is_of_one_tenant(query: str, reason: str) -> None:
    """A tenant has to be named, and names are case-sensitive."""
    assert faults(query) == [("tenant_id", reason)]


@pytest.mark.parametrize(
    "query",
    [
        "tenant_id=acme",
        "tenant_id=+acme%09",
        "tenant_id=%C2%A0acme",
        "tenant_id=acme&tenant_id=other",
        "&&tenant_id=acme&",
    ],
)
def test_tenant_is_trimmed_and_the_first_counts(query: str) -> None:
    """Blanks around the tenant do not belong to it; of two the first counts."""
    assert selection(query) == RecordFilter(tenant_id="acme")


@pytest.mark.parametrize("name", TEXTS)
def test_several_values_mean_any_of_them(name: str) -> None:
    """A repeated parameter collects its values; repetitions and empty values are dropped, commas and blanks belong to the value."""
    query = urlencode([(name, "b"), (name, "a,c"), (name, ""), (name, "b"), (name, " ü+")])

    assert getattr(of_acme(query), name) == ("b", "a,c", " ü+")
    assert getattr(of_acme(f"{name}="), name) == ()


@pytest.mark.parametrize("name", TEXTS)
def test_values_of_a_filter_have_their_limits(name: str) -> None:
    """A value longer than the column can be, or with a NUL, is refused; so are more than a hundred."""
    most = 10 if name == "language" else 255

    assert getattr(of_acme(f"{name}={quote('😀' * most)}"), name) == ("😀" * most,)
    assert faults_of_acme(f"{name}={'x' * (most + 1)}") == [(name, f"must be at most {most}")]
    assert faults_of_acme(f"{name}=a&{name}=%00") == [(name, "must not contain NULL bytes")]
    hundred = "&".join(f"{name}={number}" for number in range(100))
    assert len(getattr(of_acme(f"{hundred}&{hundred}"), name)) == 100
    assert faults_of_acme(f"{hundred}&{name}=100") == [(name, "must have at most 100 values")]


@pytest.mark.parametrize(("name", "values"), SETS.items())
def test_values_of_a_closed_set(name: str, values: tuple[str, ...]) -> None:
    """Of a closed set several come by repetition or, as the official SDK sends them, with commas; others are refused."""
    first, second, third = values[:3]

    assert getattr(of_acme(f"{name}={first}%2C{second},{first}&{name}={third}&{name}="), name) == (first, second, third)
    assert getattr(of_acme(f"{name}=,"), name) == ()
    for wrong in (first.upper(), f"{first},x", f"{first}, {second}"):
        assert faults_of_acme(f"{name}={quote(wrong)}") == [(name, f"must be one of: {', '.join(values)}")]


@pytest.mark.parametrize("name", [*SINCE, *SINCE.values()])
def test_moment_of_a_range(name: str) -> None:
    """Moments are RFC 3339 with an offset; empty is absent. An unescaped + is a blank, as everywhere in a query."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=timezone(timedelta(hours=1)))

    assert getattr(of_acme(f"{name}={quote_plus(moment.isoformat())}"), name) == moment
    assert getattr(of_acme(f"{name}=2026-01-02T02:04:05.1234569Z"), name) == moment
    assert getattr(of_acme(f"{name}="), name) is None
    for wrong in (
        "2026-01-02",
        "2026-01-02T03:04:05",
        "1700000000",
        "2026-01-02 03:04:05Z",
        moment.isoformat(),
        "yesterday",
        "%00",
    ):
        assert faults_of_acme(f"{name}={wrong}") == [(name, DATE)]


@pytest.mark.parametrize("name", [*MINIMA, *MINIMA.values()])
def test_number_of_a_range(name: str) -> None:
    """Numbers are decimal; a score lies between -1 and 1."""
    for text, number in {"1": 1.0, "-0.5": -0.5, "%2B.25": 0.25, "1e-3": 0.001, "0": 0.0}.items():
        assert getattr(of_acme(f"{name}={text}"), name) == number
    assert getattr(of_acme(f"{name}="), name) is None
    for wrong in ("x", "nan", "inf", "-Infinity", "1e400", "0x10", "1_0", "1,5", "1e", "+1", "%D9%A1"):
        assert faults_of_acme(f"{name}={wrong}") == [(name, "must be a valid number")]
    if name.startswith("sentiment"):
        assert faults_of_acme(f"{name}=1.01") == [(name, "must be at most 1")]
        assert faults_of_acme(f"{name}=-1.01") == [(name, "must be at least -1")]
    else:
        assert getattr(of_acme(f"{name}=1e300"), name) == 1e300


@pytest.mark.parametrize("name", FLAGS)
def test_flag_has_three_states(name: str) -> None:
    """Yes, no, or not asked."""
    for text in ("true", "1", "YES", "On"):
        assert getattr(of_acme(f"{name}={text}"), name) is True
    for text in ("false", "0", "No", "OFF"):
        assert getattr(of_acme(f"{name}={text}"), name) is False
    assert getattr(of_acme(f"{name}="), name) is None
    for text in ("maybe", "2", "t", "%20true"):
        assert faults_of_acme(f"{name}={text}") == [(name, "must be a valid boolean")]


@pytest.mark.parametrize(("low", "high"), SINCE.items())
def test_range_of_moments_upside_down(low: str, high: str) -> None:
    """A range that ends before it begins is refused under its lower bound; one that ends where it begins is a range."""
    moment = of_acme(f"{low}=2026-01-02T03:04:05Z&{high}=2026-01-02T04:04:05%2B01:00")
    assert getattr(moment, low) == getattr(moment, high)
    (fault,) = faults_of_acme(f"{low}=2026-01-02T03:04:05.000001Z&{high}=2026-01-02T04:04:05%2B01:00")
    assert fault[0] == low


@pytest.mark.parametrize(("low", "high"), MINIMA.items())
def test_range_of_numbers_upside_down(low: str, high: str) -> None:
    """So is a range of numbers, zero included."""
    assert getattr(of_acme(f"{low}=0&{high}=0"), high) == 0
    (fault,) = faults_of_acme(f"{low}=0&{high}=-0.5")
    assert fault[0] == low


@pytest.mark.parametrize(("text", "limit"), [("", 100), ("0", 100), ("1", 1), ("%2B5", 5), ("007", 7), ("1000", 1000)])
def test_limit_of_a_page(text: str, limit: int) -> None:
    """A page has a hundred records unless told otherwise, and nothing or zero tells nothing."""
    assert paging(f"limit={text}").size == limit


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(
            (text, "must be a valid integer")
            for text in ("+5", "1e2", "0x10", "1.0", "ten", " 5", "1" * 5000, "%D9%A1", "5%00", "--5")
        ),
        ("1001", "must be at most 1000"),
    ],
)
def test_limit_that_is_none(text: str, reason: str) -> None:
    """Anything but a small decimal integer is refused."""
    assert faults_of_acme(f"limit={quote(text, safe='%+')}") == [("limit", reason)]


def test_negative_limit() -> None:
    """A page has one record at least."""
    assert faults_of_acme("limit=-1") == [("limit", "must be at least 1")]


def test_order_of_a_page() -> None:
    """Two sort keys, two orders; nothing and an empty value mean the default."""
    assert (paging("").sort, paging("").order) == ("collected_at", "desc")
    assert (paging("sort=&order=").sort, paging("sort=&order=").order) == ("collected_at", "desc")
    assert (paging("sort=created_at&order=asc").sort, paging("sort=created_at&order=asc").order) == (
        "created_at",
        "asc",
    )
    assert faults_of_acme("sort=updated_at&order=ASC") == [
        ("sort", "must be one of: collected_at, created_at"),
        ("order", "must be one of: asc, desc"),
    ]


def test_cursor_keeps_its_order() -> None:
    """A cursor goes on in the order it was made for, and in no other."""
    cursor = Cursor(t=datetime(2026, 1, 2, tzinfo=UTC), i=UUID(int=1), s="created_at", o="asc")
    text = quote(cursors.encode(cursor))
    foreign = (
        "was issued for a different sort/order; restart pagination without a cursor, or keep sort and order unchanged"
    )

    assert paging(f"cursor={text}&sort=created_at&order=asc").cursor == cursor
    assert paging("cursor=").cursor is None
    assert paging("cursor=%20").cursor is None
    for order in ("", "sort=created_at", "order=asc", "sort=collected_at&order=asc"):
        assert faults_of_acme(f"cursor={text}&{order}") == [("cursor", foreign)]


def test_text_that_is_no_cursor() -> None:
    """What the hub did not make is refused with a hint."""
    reason = "omit it for the first page, or use the exact next_cursor value from the previous response"

    assert faults_of_acme("cursor=xyz") == [("cursor", reason)]


def test_all_faults_of_a_query_are_told_once_each() -> None:
    """One answer names every parameter that is wrong, and each of them once."""
    query = "since=x&since=y&until=z&limit=ten&field_type=nope&has_emotions=maybe&bad=%ff&value_number_min=2&value_number_max=1&cursor=%21"

    assert {name for name, _ in faults(query)} == {
        "tenant_id", "since", "until", "limit", "field_type", "has_emotions", "bad", "value_number_min", "cursor",
    }  # fmt: skip
    assert len(faults(query)) == 9


@pytest.mark.parametrize("query", ["unknown=1", "limits=5&TENANT_ID=x", "a=b;c=d", "=", "=x", "x=%00"])
def test_unknown_parameters_are_ignored(query: str) -> None:
    """A list is read whatever else the address carries."""
    assert of_acme(query) == RecordFilter(tenant_id="acme")


def test_undecodable_name_is_told_cut() -> None:
    """A parameter whose very name cannot be read is refused too."""
    (fault,) = faults_of_acme(f"%ff{'x' * 100}=1")

    assert fault == ("\ufffd" + "x" * 63, ENCODED)


# Members of metadata.


def test_members_of_metadata_are_named_by_their_path() -> None:
    """Several values of one path mean any of them; several paths have to hold together. An empty value asks for nothing."""
    query = "metadata.plan=pro&metadata.attributes.%C3%BC+1=a,b&metadata.plan=free&metadata.plan=pro&metadata.x="

    assert of_acme(query).metadata == (MetadataIs("plan", ("pro", "free")), MetadataIs("attributes.ü 1", ("a,b",)))
    assert of_acme("metadata=x&Metadata.a=b&metadata.=").metadata == ()


@pytest.mark.parametrize("name", ["metadata.", "metadata..a", "metadata.a.", "metadata.a%00"])
def test_path_that_leads_nowhere(name: str) -> None:
    ((_, reason),) = faults_of_acme(f"{name}=x")
    assert reason == "must be metadata and the names that lead to a member, joined with dots: metadata.plan"


def test_path_that_is_too_long() -> None:
    assert of_acme(f"metadata.{'a' * 255}=x").metadata == (MetadataIs("a" * 255, ("x",)),)
    ((_, reason),) = faults_of_acme(f"metadata.{'a' * 256}=x")
    assert reason == "must be at most 255 characters after metadata."


def test_members_of_metadata_have_their_limits() -> None:
    """Ten paths, a hundred values each, as long as a text can be."""
    ten = "&".join(f"metadata.m{number}=x" for number in range(10))
    assert len(of_acme(ten).metadata) == 10
    assert faults_of_acme(f"{ten}&metadata.more=x") == [
        ("metadata.more", "at most 10 members of metadata can be asked for")
    ]
    assert faults_of_acme("&".join(f"metadata.m={number}" for number in range(101))) == [
        ("metadata.m", "must have at most 100 values")
    ]
    assert faults_of_acme(f"metadata.a={'x' * 30001}&metadata.b=%00") == [
        ("metadata.a", "must be at most 30000"),
        ("metadata.b", "must not contain NULL bytes"),
    ]


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
_MOMENTS = st.integers(-62_000_000_000, 253_000_000_000).map(
    lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(
    st.builds(
        RecordFilter,
        tenant_id=_TEXTS.map(str.strip).filter(bool),
        field_id=st.lists(_TEXTS, unique=True).map(tuple),
        field_type=st.lists(st.sampled_from(get_args(FieldType)), unique=True).map(tuple),
        language=st.lists(st.sampled_from(["de", "en-US"]), unique=True).map(tuple),
        since=st.none() | _MOMENTS,
        value_number_min=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        value_boolean=st.none() | st.booleans(),
        value_text=st.lists(_TEXTS, unique=True).map(tuple),
        metadata=st.lists(
            st.builds(
                MetadataIs,
                _TEXTS.filter(lambda path: all(path.split("."))),
                st.lists(_TEXTS, min_size=1, unique=True).map(tuple),
            ),
            unique_by=lambda wanted: wanted.path,
            max_size=3,
        ).map(tuple),
    )
)
def test_a_filter_is_what_its_query_string_says(wanted: RecordFilter) -> None:
    """What links to records selects those records."""
    assert selection(query_string(wanted)) == wanted


# Keys that are bound to a tenant.


@pytest.mark.parametrize("query", ["", "tenant_id=", "tenant_id=acme", "tenant_id=+acme"])
def test_bound_key_may_leave_its_tenant_out(query: str) -> None:
    """A key of one tenant lists that tenant."""
    assert selection(query, "acme").tenant_id == "acme"
    assert erasure(f"user_id=u&{query}", "acme").tenant_id == "acme"


@pytest.mark.parametrize("query", ["tenant_id=other", "tenant_id=ACME", "tenant_id=other&tenant_id=acme"])
def test_bound_key_may_not_name_another_tenant(query: str) -> None:
    """Another tenant is forbidden ground."""
    with pytest.raises(Forbidden):
        selection(query, "acme")


# Erasing, where a mistake cannot be taken back.


def test_erasure_names_a_user() -> None:
    """Both parameters are trimmed; the tenant may be left out."""
    assert erasure("user_id=%20u%201%20&tenant_id=+acme") == Erasure(user_id="u 1", tenant_id="acme")
    assert erasure("user_id=u") == Erasure(user_id="u", tenant_id=None)


@pytest.mark.parametrize(
    ("query", "name", "reason"),
    [
        ("", "user_id", "is required"),
        ("user_id=", "user_id", "is required"),
        ("user_id=+", "user_id", "user_id is required and cannot be empty"),
        (f"user_id={'x' * 256}", "user_id", "must be at most 255"),
        ("user_id=%00", "user_id", "must not contain NULL bytes"),
        ("user_id=%ff", "user_id", ENCODED),
        ("user_id=u&tenant_id=", "tenant_id", "must be at least 1"),
        ("user_id=u&tenant_id=%20", "tenant_id", "tenant_id is required and cannot be empty"),
        ("user_id=u&tenant_id=%zz", "tenant_id", ENCODED),
        ("user_id=u&tenantid=acme", "tenantid", "is not a recognized parameter"),
        ("user_id=u&Tenant_id=acme", "Tenant_id", "is not a recognized parameter"),
        ("user_id=u&limit=5", "limit", "is not a recognized parameter"),
        ("user_id=u&user_id=u", "user_id", "appears more than once; give it once"),
        ("user_id=u&tenant_id=a&tenant_id=b", "tenant_id", "appears more than once; give it once"),
        ("user_id=u&tenant_id=a&%74enant_id=b", "tenant_id", "appears more than once; give it once"),
        ("user_id=u&;tenant_id=a", ";tenant_id", "is not a recognized parameter"),
    ],
)
def test_erasure_refuses_what_it_does_not_understand(query: str, name: str, reason: str) -> None:
    """A mistyped, repeated or unreadable parameter must not erase across tenants."""
    assert erasure_faults(query) == {name: reason}


NAMES = st.sampled_from([*RecordFilter.__struct_fields__, *Paging.__struct_fields__, "x"])


@given(
    st.lists(st.tuples(NAMES, st.text(max_size=12) | st.sampled_from(["acme", "5", "nps", "2026-01-02T03:04:05Z"]))),
    st.sampled_from([None, "acme"]),
)
def test_any_parameters_are_read_or_refused(pairs: list[tuple[str, str]], bound: str | None) -> None:
    """No query string raises anything but a problem, and every fault is told under a name that came or is required."""
    query = urlencode([(name, text.encode(errors="surrogatepass")) for name, text in pairs]).encode()
    try:
        params.read(query, RecordFilter, Paging, tenant_id=bound)
    except ValidationFailed as refused:
        assert {fault.name for fault in refused.invalid_params} <= {"tenant_id", *(name for name, _ in pairs)}  # noqa: PT017 - both ways are fine
    except Forbidden:
        assert bound is not None


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(query: bytes) -> None:
    """Bytes that are no query string at all are a problem at worst."""
    with pytest.raises(Problem):
        params.read(query, RecordFilter, tenant_id=None)
