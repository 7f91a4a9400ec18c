"""The environment, read once and checked as a whole.

Names are those of the Formbricks Hub where it has one; new ones follow its style.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]
Connections = Annotated[int, Meta(ge=1, le=1000)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 31)]

SECRET_BYTES = 32


class InvalidSettingsError(Exception):
    """One line for each variable that cannot be used."""


class Settings(Struct, kw_only=True, frozen=True, rename="upper"):
    """What the environment decides; the field in upper case is the variable."""

    api_key: str | None = None
    """Opens everything. Without it, `hub serve` makes one and keeps it under DATA_DIR."""
    secret_key: str | None = None
    """32 bytes in base64: they key the markers of what was erased. Without it, `hub serve` makes one and keeps it under DATA_DIR."""
    database_url: str | None = None
    """A Postgres 15 or newer. Without it, the bundled one runs in DATA_DIR."""
    host: str = "127.0.0.1"
    port: Port = 8080
    data_dir: Path = Path(".data")
    public_base_url: str | None = None
    """How clients reach this hub, when not as http://HOST:PORT."""
    problem_base_url: str = "https://hub.formbricks.com/problems/"
    """What problem types begin with. The default is the Formbricks Hub's, so that its clients recognize them."""
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    web_concurrency: Annotated[int, Meta(ge=1, le=256)] | None = None
    """Worker processes; as many as there are cores when unset."""
    worker: Literal["on", "off"] = "on"
    """Whether `hub serve` also runs the process that does what is queued; `hub worker` runs one by itself."""
    database_max_conns: Connections = 10
    """Connections of one worker process, at most (but two, if it is 1)."""
    database_connect_timeout_seconds: Seconds = 10
    database_acquire_timeout_seconds: Seconds = 5
    """How long a request waits for a connection before it is answered 503."""
    database_statement_timeout_seconds: Seconds = 30
    request_timeout_seconds: Seconds = 15
    """How long a client may take to send its request."""
    shutdown_timeout_seconds: Seconds = 30
    """How long requests in flight may take to finish when the hub stops."""
    payload_retention_days: Annotated[int, Meta(ge=1, le=36500)] | None = None
    """How long payloads of sources are kept; for ever when unset. What was made of them stays."""
    batch_max_bytes: Annotated[int, Meta(ge=1024)] = 8 << 30
    """How large a streamed batch may be, decompressed."""
    batch_concurrency: Annotated[int, Meta(ge=1, le=100)] = 2
    """Batches of one worker process at a time; further ones are answered 429."""
    export_concurrency: Annotated[int, Meta(ge=1, le=100)] = 2
    """Exports of one worker process at a time, each on a connection of its own; further ones are answered 429."""
    export_timeout_seconds: Seconds = 600
    """How long an export may take: while it runs, vacuum leaves alone what was deleted meanwhile."""
    rejects_retention_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    """How long batches and what they rejected are kept."""
    tenant_purge_lock_timeout_seconds: Seconds = 5
    """How long erasing a tenant waits for writes that began before it."""
    changes_retention_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    """How long it is known what was deleted, for copies that follow the changes."""
    source_payload_max_bytes: Bytes = 16 * 1024 * 1024
    allow_private_addresses: bool = False
    """Whether a survey tool may be asked at an address that is not of the public internet, such as one next door."""

    @property
    def url(self) -> str:
        """Where this hub answers. An address that means all of them is that of this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        return (self.public_base_url or f"http://{host}:{self.port}").rstrip("/")


def read(environ: Mapping[str, str]) -> Settings:
    """The settings of an environment. An empty value counts as none. Raises `InvalidSettingsError` naming every fault."""
    values: dict[str, object] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(Settings):
        text = environ.get(field.encode_name, "").strip()
        if not text:
            continue
        if field.name == "log_level":
            text = {"warning": "warn"}.get(text.lower(), text.lower())
        try:
            values[field.name] = msgspec.convert(text, field.type, strict=False, dec_hook=_path)
        except msgspec.ValidationError as error:
            wanted = (
                f"Expected one of {', '.join(get_args(field.type))}" if get_origin(field.type) is Literal else error
            )
            faults.append(f"{field.encode_name}: {wanted} (got {text!r})")
    faults += [
        f"{name.upper()}: Expected an http or https URL (got {values[name]!r})"
        for name in ("public_base_url", "problem_base_url")
        if name in values and urlsplit(str(values[name])).scheme not in ("http", "https")
    ]
    if "database_url" in values and urlsplit(str(values["database_url"])).scheme not in ("postgres", "postgresql"):
        faults.append("DATABASE_URL: Expected a postgres:// URL")
    if "secret_key" in values:
        try:
            values["secret_key"] = _secret(str(values["secret_key"]))
        except ValueError:  # and not a word of what it was
            faults.append("SECRET_KEY: Expected 32 bytes in base64, like `openssl rand -base64 32` gives")
    if faults:
        raise InvalidSettingsError("\n".join(faults))
    return Settings(**values)  # type: ignore[arg-type] # each value was converted to its field's type above


def _secret(text: str) -> str:
    """In the one alphabet and with the padding that those who decode it ask for."""
    digits = text.rstrip("=").replace("+", "-").replace("/", "_")
    if len(base64.b64decode(f"{digits}=", altchars=b"-_", validate=True)) != SECRET_BYTES:
        raise ValueError
    return f"{digits}="


def _path(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value)).expanduser()
    raise NotImplementedError
