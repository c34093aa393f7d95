"""Wrong values of the configuration: refused by their key before a store meets them, and never shown."""

from pathlib import Path

import pytest

from makegood_adapters.config import ConfigurationError, load_config, secrets_of, told

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
        ('public_url = "https://api.shop.example/"', "public_url: .* must be written like"),
        ('public_url = "https://user@api.shop.example"', "public_url: .* must be written like"),
        ('public_url = "https://API.shop.example"', "public_url: .* must be written like"),
        ('buckets = ["public"]', "buckets: 'public' is no name of a bucket"),
        ('buckets = ["a/b"]', "buckets: 'a/b' is no name of a bucket"),
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


def written(folder: Path, text: str = "", *, url: bool = True) -> Path:
    file = folder / "makegood.toml"
    file.write_text((f'database_url = "postgresql://user:{SECRET}@host/db"\n' if url else "") + text)
    return file


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("databse_connections_max = 3", "did you mean database_connections_max"),
        (f'{ACCOUNT}name = "a"\ncapactiy = 3', "accounts.0.capactiy: there is no such key .did you mean cap"),
        ("[engine]\nlease_second = 300", "engine.lease_second: .*did you mean lease_seconds"),
        ('[s3]\nsecret_acces_key_file = "x"', "s3.secret_acces_key_file: .* mean secret_access_key_file"),
        ("[http]\nhead_second = 3", "http.head_second: .*did you mean head_seconds"),
        ("zebra = 1", "zebra: there is no such key\\."),
    ],
)
def test_a_key_that_does_not_exist_is_refused_with_the_nearest(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        load_config(written(tmp_path, text))


class TestSecretFiles:
    """A secret may be in a file: in the configuration, in the environment, and deep inside of both."""

    def secret(self, folder: Path, text: str = f"{SECRET}\n", mode: int = 0o600) -> Path:
        file = folder / "secret"
        file.write_text(text)
        file.chmod(mode)
        return file

    def test_every_secret_may_be_in_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = self.secret(tmp_path)
        monkeypatch.setenv("MAKEGOOD_DATABASE_URL_FILE", str(file))
        monkeypatch.setenv("MAKEGOOD_S3__SECRET_ACCESS_KEY_FILE", str(file))
        more = f'[s3]\naccess_key_id = "a"\n[[accounts]]\nname = "a"\napi_key_file = "{file}"\n'
        config = load_config(written(tmp_path, more, url=False))
        assert config.database_url.get_secret_value() == SECRET
        assert config.s3.secret_access_key
        assert config.s3.secret_access_key.get_secret_value() == SECRET
        assert config.accounts[0].api_key.get_secret_value() == SECRET
        assert config.warnings == []

    def test_the_environment_wins_and_its_file_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MAKEGOOD_PUBLIC_KEY_FILE", str(self.secret(tmp_path)))
        config = load_config(written(tmp_path, 'public_key = "of-the-file"'))
        assert config.public_key
        assert config.public_key.get_secret_value() == SECRET

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (None, "public_key_file: .* cannot be read: No such file"),
            ("", "public_key_file: .* is empty"),
            ("\n", "public_key_file: .* is empty"),
            (70_000 * "x", "public_key_file: .* has 70,000 bytes"),
        ],
    )
    def test_a_file_that_is_no_secret_is_told_by_its_key(
        self, tmp_path: Path, content: str | None, told: str
    ) -> None:
        file = tmp_path / "secret" if content is None else self.secret(tmp_path, content)
        with pytest.raises(ConfigurationError, match=told):
            load_config(written(tmp_path, f'public_key_file = "{file}"'))

    def test_the_mark_of_an_editor_is_no_part_of_a_secret(self, tmp_path: Path) -> None:
        file = self.secret(tmp_path, "\ufeffsesame\r\n")
        config = load_config(written(tmp_path, f'public_key_file = "{file}"'))
        assert secrets_of(config)[-1] == "sesame"

    def test_a_configuration_with_the_mark_of_an_editor_is_told_what_it_is(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        with pytest.raises(ConfigurationError, match="save it as UTF-8 without BOM"):
            load_config(path)

    def test_a_secret_given_twice_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = self.secret(tmp_path)
        with pytest.raises(ConfigurationError, match="public_key and public_key_file are both given"):
            load_config(written(tmp_path, f'public_key = "x"\npublic_key_file = "{file}"'))
        monkeypatch.setenv("MAKEGOOD_PUBLIC_KEY", "x")
        monkeypatch.setenv("MAKEGOOD_PUBLIC_KEY_FILE", str(file))
        with pytest.raises(ConfigurationError, match="MAKEGOOD_PUBLIC_KEY_FILE and the same without _FILE"):
            load_config(written(tmp_path))

    def test_a_file_that_everybody_can_read_is_a_warning(self, tmp_path: Path) -> None:
        file = self.secret(tmp_path, mode=0o644)
        config = load_config(written(tmp_path, f'public_key_file = "{file}"'))
        told = f"public_key_file: every user of this machine can read {file}: chmod 600 it."
        assert config.warnings[0] == told


def test_what_a_front_end_will_miss_is_told(tmp_path: Path) -> None:
    page, secret = 'public_key = "sb_publishable_01"', f'link_secret = "{"0123456789abcdef" * 2}"'
    for lines, keys in (
        ([], []),
        ([page], ["link_secret"]),
        ([page, secret], []),
        ([page, secret, 'host = "10.0.0.7"'], ["public_url"]),
        ([page, secret, 'host = "10.0.0.7"', 'public_url = "https://api.shop.example"'], []),
        ([page, 'public_url = "https://api.shop.example"'], []),  # it is refused, which is told once
    ):
        warnings = load_config(written(tmp_path, "\n".join(lines))).warnings
        assert [warning.partition(" ")[0] for warning in warnings] == keys, lines


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ("port = 8001", "http://127.0.0.1:8001"),
        ('host = "::1"', "http://[::1]:8000"),
        ('host = "0.0.0.0"', None),
        ("port = 0", None),
        ('host = "0.0.0.0"\npublic_url = "https://api.shop.example:8443"', "https://api.shop.example:8443"),
    ],
)
def test_pages_reach_the_service_where_it_is_said_or_on_this_machine(
    tmp_path: Path, lines: str, address: str | None
) -> None:
    assert load_config(written(tmp_path, lines)).address_of_pages == address


def test_a_variable_that_means_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEGOOD_DATABASE_UPDATE_SCHEM", "true")
    monkeypatch.setenv("MAKEGOOD_WORKER", "2")
    assert load_config(written(tmp_path)).warnings == [
        "The variable MAKEGOOD_DATABASE_UPDATE_SCHEM is not used: there is no such key "
        "(did you mean database_update_schema?).",
        "The variable MAKEGOOD_WORKER is not used: there is no such key (did you mean workers?).",
    ]


def test_the_configuration_in_effect_names_every_origin_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text("sesame-of-the-file")
    key.chmod(0o600)
    monkeypatch.setenv("MAKEGOOD_ENGINE__BATCH_MAX", "7")
    monkeypatch.setenv("MAKEGOOD_PORT", "8001")
    file = written(tmp_path, f'[[accounts]]\nname = "a"\napi_key_file = "{key}"\n[deadlines]\nqueued = 5\n')
    config = load_config(file)
    found = {each.key: (each.value, each.origin) for each in told(config)}
    assert found["database_url"] == ("********", str(file))
    assert found["port"] == ("8001", "environment")
    assert found["engine.batch_max"] == ("7", "environment")
    assert found["engine.lease_seconds"] == ("300.0", "default")
    assert found["accounts.0.api_key"] == ("********", f"file {key}")
    assert found["accounts.0.pool"] == ("runninghub", "default")
    assert found["deadlines.queued"] == ("5.0", str(file))
    assert found["http.connections_max"] == ("10000", "default")
    assert not [each for each in found.values() if "sesame" in each[0]]
    assert secrets_of(config) == [f"postgresql://user:{SECRET}@host/db", SECRET, "sesame-of-the-file"]
