"""Open the place for files of ours that the configuration names: a folder or a bucket."""

from pathlib import Path

from makegood.ports import Blobs
from makegood_adapters.config import ConfigurationError, ServiceConfig
from makegood_adapters.folder import FolderBlobs


async def open_blobs(config: ServiceConfig) -> Blobs:
    """Return the place, tried out. Raises FolderError, S3Error or ConfigurationError with a sentence."""
    if not config.blobs.startswith("s3://"):
        folder = FolderBlobs(Path(config.blobs))
        folder.prepare()
        return folder
    try:
        from makegood_adapters.s3 import S3Blobs
    except ImportError:
        raise ConfigurationError(
            f"blobs: {config.blobs} needs the extra s3: pip install 'makegood[s3]'."
        ) from None
    bucket, _, prefix = config.blobs.removeprefix("s3://").partition("/")
    at = config.s3
    store = S3Blobs(
        bucket,
        prefix=prefix,
        endpoint=at.endpoint,
        region=at.region,
        access_key_id=at.access_key_id.get_secret_value() if at.access_key_id else None,
        secret_access_key=at.secret_access_key.get_secret_value() if at.secret_access_key else None,
    )
    await store.prepare()
    return store
