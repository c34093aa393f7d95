"""Wrong values of the configuration: refused by their key before a store meets them, and never shown."""

from pathlib import Path

import pytest

from makegood_adapters.config import ConfigurationError, load_config

SECRET = "open-sesame"
ACCOUNT = f'[[accounts]]\napi_key = "{SECRET}"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'{ACCOUNT}name = "a"\ncapacity = 99999999999999', "accounts.0.capacity: "),
        (f'{ACCOUNT}name = "a"\ndraining_seconds = inf', "accounts.0.draining_seconds: "),
        (f'{ACCOUNT}name = "a"\ndraining_seconds = 1e12', "accounts.0.draining_seconds: "),
        (f'{ACCOUNT}name = "a"\ncalls_per_second = nan', "accounts.0.calls_per_second: "),
        (f'{ACCOUNT}name = ""', "accounts.0.name: "),
        (f'{ACCOUNT}name = "a\\u0000"', "accounts.0.name: it has a character that is none of a name"),
        (f'{ACCOUNT}name = "a"\npool = "a\\nb"', "accounts.0.pool: it has a character"),
        (f'{ACCOUNT}name = "a"\nauth_mode = "both, please"', "accounts.0.auth_mode: "),
        (f'[[accounts]]\nname = "a"\napi_key = ["{SECRET}"]', "accounts.0.api_key: "),
        (f'blobs = "s3://{SECRET}:x@bucket"', "blobs: it is neither a folder nor a bucket"),
        (f'link_secret = "{SECRET}"', "link_secret: it must have 32 random bytes or more"),
        (f'[s3]\nendpoint = "{SECRET}@host"', "s3: endpoint must begin with http:// or https://"),
        ("[engine]\nlease_seconds = inf", "lease_seconds must have an end, not inf"),
        ("[engine]\nask_timeout_seconds = nan", "ask_timeout_seconds must be more than 0, not nan"),
        ('[engine]\nwebhook_base_url = "https://us.example?x="', "have no \\? or #"),
    ],
)
def test_a_wrong_value_is_refused_and_no_secret_is_shown(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "makegood.toml"
    file.write_text(f'database_url = "postgresql://user:{SECRET}@host/db"\n{text}\n')
    with pytest.raises(ConfigurationError, match=told) as caught:
        load_config(file)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
