"""Let Sentry hear of the errors that a process of the service logs, without secrets and owners."""

from collections.abc import Iterator
from contextlib import contextmanager

from makegood.errors import MakegoodError
from makegood_adapters.alarms import before_send
from makegood_adapters.config import ConfigurationError, ServiceConfig
from makegood_adapters.config.told import secrets_of
from makegood_adapters.http.release import release

#: So long what waits to be sent holds up the end of a process.
LAST_SECONDS = 2.0


def check_sentry(dsn: str) -> None:
    """Raise ConfigurationError where nothing can be told to *dsn*: the package is missing, or it is none of
    Sentry's addresses. Nothing is sent."""
    try:
        from sentry_sdk.utils import BadDsn, Dsn
    except ImportError:
        raise ConfigurationError(
            "sentry_dsn needs the extra sentry: pip install 'makegood[sentry]', or leave sentry_dsn out."
        ) from None
    try:
        Dsn(dsn)
    except BadDsn:
        raise ConfigurationError(
            "sentry_dsn is no address of Sentry: it is written https://KEY@HOST/NUMBER, as the settings of "
            "the project there show it under Client Keys."
        ) from None


@contextmanager
def telling_sentry(config: ServiceConfig, number: int = 0) -> Iterator[None]:
    """Tell the errors of this process to the address `sentry_dsn` as long as the block runs; nobody, if it is
    left out. *number* tells processes of one service apart. Raises ConfigurationError, see `check_sentry`.
    """
    if config.sentry_dsn is None:
        yield
        return
    dsn = config.sentry_dsn.get_secret_value()
    check_sentry(dsn)
    import sentry_sdk
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=dsn,
        release=f"makegood@{release()}",
        before_send=before_send(secrets_of(config)),
        # The others look into requests and statements, and put headers on calls to providers.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(), DedupeIntegration()],
        max_breadcrumbs=0,  # the lines before, of other jobs
        include_local_variables=False,
    )
    sentry_sdk.get_global_scope().set_tag("process", str(number))
    try:
        yield
    except Exception as error:
        if not isinstance(error, MakegoodError):  # those are told whoever started the process, in a sentence
            sentry_sdk.capture_exception(error)
        raise
    finally:
        sentry_sdk.get_client().close(timeout=LAST_SECONDS)
