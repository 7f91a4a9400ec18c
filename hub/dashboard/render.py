"""Templates to answers, and how numbers and times are written."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

_HERE = Path(__file__).resolve().parent
_ASSETS = _HERE.parent / "assets"
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"

# No script and no style but our own files: what was said in feedback cannot become part of the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def number(value: float | None, digits: int = 0) -> str:
    """With thousands, a minus that is as wide as a plus, and a dash for what is not known."""
    if value is None:
        return NOTHING
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", MINUS)


def signed(value: float | None, digits: int = 0) -> str:
    text = number(value, digits)
    return text if value is None or text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def percent(value: float | None, digits: int = 0) -> str:
    return NOTHING if value is None else f"{number(value, digits)}%"


def counted(count: int, one: str, many: str | None = None) -> str:
    """How many of what: `many` is the plural where that is not made with an s."""
    return f"{number(count)} {one if count == 1 else many or f'{one}s'}"


def called(name: str) -> str:
    """A parameter or a dimension in words."""
    return name.rpartition(".")[2].rpartition(":")[2].removesuffix("_id").replace("_", " ")


def lasted(seconds: float) -> str:
    """A duration, as exactly as people ask, in one piece."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else left, "s")]
    return (
        "\N{NO-BREAK SPACE}".join(f"{number(much)}\N{NO-BREAK SPACE}{unit}" for much, unit in parts if much)
        or "0\N{NO-BREAK SPACE}s"
    )


def day(moment: date | datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"


def minute(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y, %H:%M}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "signed": signed,
        "percent": percent,
        "counted": counted,
        "day": day,
        "minute": minute,
    }
    # Assets may be kept by a browser for an hour; another version of them has another address.
    files = sorted(_ASSETS.glob("dashboard.*"))
    environment.globals["version"] = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    return environment


_ENVIRONMENT = _environment()


def page(
    template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: object
) -> Response[str]:
    """A template as an answer that nothing may keep and no other page may frame."""
    return Response(
        _ENVIRONMENT.get_template(template).render(**values),
        status_code=status,
        media_type="text/html",
        headers={**_HEADERS, **(headers or {})},
    )


def redirect(address: str, headers: Mapping[str, str] | None = None) -> Response[str]:
    return Response("", status_code=303, headers={**_HEADERS, "location": address, **(headers or {})})
