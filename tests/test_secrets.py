"""Passwords, tokens and local places, along the whole path: refused, or nowhere to be found afterwards."""

import base64
import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from openhands_toys import gsl, npy
from project import Project
from servers import Fault, download_settings, serving
from sslslr.cli.main import app
from sslslr.config.published import published
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.datasets import build, download
from sslslr.utils.download.addresses import public, refuse_secrets, secret_of, without_secrets
from sslslr.utils.download.fetch import File, fetch
from sslslr.utils.errors import UserError
from sslslr.workflow.start import refuse_places_in_dvc_lock
from toys import ROOT

SECRET = "hunter2secret"
UNSOUND = [
    f"https://anna:{SECRET}@example.org/a/",
    f"https://{SECRET}@example.org/a/",
    f"https://example.org/a?token={SECRET}",
    f"https://example.org/a?x=1&access_token={SECRET}#top",
    f"https://example.org/a?X-Amz-Signature={SECRET}",
    f"https://example.org/a?sv=2022&sig={SECRET}",
    f"https://example.org/a?api_key={SECRET}",
    f"https://example.org/a?apikey={SECRET}",
    f"https://example.org/a?key={SECRET}",
    f"https://example.org/a?PASSWORD={SECRET}",
    f"https://example.org/a#access_token={SECRET}",
    f"s3://anna:{SECRET}@bucket/a",
    f"https://example.org/a?x=Ab1{SECRET}{'Zz9' * 5}",
    f"https://example.org/a?{'0123456789abcdef' * 2}",
    f"https://scholar.google.com/citations?user=Zkl8L3sAAAAJ&token={SECRET}",
    f"https://scholar.google.com.evil.org/citations?user={SECRET}",
    f"https://[{SECRET}@example.org/a",
    f"https://example.org/a;token={SECRET}",
    f"https://example.org/a;jsessionid={SECRET}?x=1",
    f"https://example.org/a?x=1;token={SECRET}",
    f"https://example.org/a?to=https%3A%2F%2Fanna%3A{SECRET}%40example.org",
    f"HTTPS://anna:{SECRET}@EXAMPLE.ORG/a",
    f"https://anna%3A{SECRET}@example.org/a",
    f"ssh://anna:{SECRET}@example.org:22/a",
    f"webdavs://anna:{SECRET}@example.org/a",
    f"https://example.org/s/a?rlkey={SECRET}&dl=0",
    f"https://example.org/a?tok={SECRET}",
    f"https://example.org/a?user=anna&pin={SECRET}",
    *(f"https://example.org/a?{name}={SECRET}" for name in (
        *("code", "Policy", "pw", "otp", "sess", "nonce", "authkey", "hdnea", "invite", "x-goog-signature"),
        *("user", "email", "Key-Pair-Id", "AWSAccessKeyId", "X-Amz-Security-Token", "%73ig", "x[sig]"),
    )),
    f"example.org/a?sig={SECRET}",
    f"//example.org/a?code={SECRET}",
    f"host:/a?x=1&key={SECRET}",
    f"HTTPS:example.org?code={SECRET}",
]  # fmt: skip
SOUND = [
    "https://example.org/a/GSL.zip",
    "https://zenodo.org/record/6674324/files/GSL.zip?download=1",
    "https://example.org/a?sign=book&lang_code=ase&author=li",
    "https://example.org/keypoints/a?format=npy&version=2",
    "https://example.org/a?commit=77560512bdea30a88e2d0d6a25e24c1c159c53e2",
    "https://example.org/show_language.asp?code=ase",
    "https://example.org/a@b/c",
    "anna@example.org",
    "mailto:anna@example.org",
]


@pytest.mark.parametrize("url", UNSOUND)
def test_an_address_that_lets_somebody_in_is_refused_wherever_it_stands(url):
    assert secret_of(url) or "://" not in url
    assert SECRET not in public(url)
    assert SECRET not in without_secrets(f"no file at {url}: look there")
    for values in (
        url,
        {"datasets": {"gsl": {"options": {"mirror": url}}}},
        {"note": f"see <{url}>"},
        {"files": [{url: "a"}]},
    ):
        with pytest.raises(UserError, match="in its address.*netrc") as caught:
            refuse_secrets(values, "study.yaml")
        assert SECRET not in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"user:{SECRET}@example.org/a",
        f"//user:{SECRET}@example.org/a",
        f"git clone user:{SECRET}@example.org:a.git",
        f"https://example.org/ghp_{SECRET}{'a1' * 18}/a",
        f"hf_{'abcDEF' * 6}",
        f"https:/anna:{SECRET}@example.org/a",
        f"https:\\\\anna:{SECRET}@example.org\\a",
        f"see (anna:{SECRET}@example.org)",
        f"MIRROR=anna:{SECRET}@example.org",
        f"AIza{SECRET}{'a1' * 12}",
        f"https://example.org/sk-{SECRET}{'a1' * 8}/a",
        f"eyJ{'a1' * 8}.{SECRET}.{'b2' * 8}",
    ],
)
def test_a_login_without_a_scheme_and_a_token_in_a_path_are_refused(text):
    with pytest.raises(UserError, match="netrc") as caught:
        refuse_secrets({"mirror": text}, "study.yaml")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("unit", ["a", "a-", "a:", "//a", "a@", "://", "ghp_", "a:b@"])
def test_long_texts_are_looked_through_at_once(unit):
    began = time.process_time()
    with contextlib.suppress(UserError):
        refuse_secrets(unit * (200_000 // len(unit)), "study.yaml")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("url", SOUND)
def test_an_address_of_everybody_is_not(url):
    assert secret_of(url) == ""
    refuse_secrets({"a": [url]}, "study.yaml")


def study(**changes) -> dict:
    return {
        "datasets": {"gsl": {"source": "gsl", "options": {}}},
        "methods": {"random": {}},
        "runs": [{"methods": ["random"]}],
        **changes,
    }


def with_mirror(url: str) -> dict:
    return study(datasets={"gsl": {"source": "gsl", "options": {"mirror": url}}})


@pytest.mark.parametrize("verb", ["check", "runs"])
def test_config_check_refuses_it_and_says_where_it_belongs(verb, tmp_path):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(with_mirror(UNSOUND[0])))
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(app, ["config", verb, str(tmp_path / "c.yaml")], catch_exceptions=False)
    said = str(caught.value)
    assert "datasets.gsl.options.mirror: https://example.org/a/ has a user name" in said
    assert "~/.netrc" in said
    assert SECRET not in said


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_snakemake_says_it_and_nothing_of_the_password(tmp_path):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(with_mirror(UNSOUND[0])))
    command = ("snakemake", "-n", "-s", "Snakefile", "--directory", str(tmp_path))
    ran = Project(ROOT).run(*command, "--configfile", str(tmp_path / "c.yaml"), check=False)
    assert ran.returncode != 0
    said = ran.stdout + ran.stderr
    assert "has a user name or password in its address" in said
    assert SECRET not in said
    written = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "c.yaml"]
    assert [p for p in written if SECRET.encode() in p.read_bytes()] == []


@pytest.mark.parametrize(
    "text",
    [
        f"datasets: {{gsl: {{options: {{mirror: 'https://anna:{SECRET}@example.org'}}}}",  # no end
        f"a: https://anna:{SECRET}@example.org: b",
        f"a: 1\na: https://anna:{SECRET}@example.org",
        f"datasets: https://anna:{SECRET}@example.org",
    ],
)
def test_a_broken_configuration_is_not_repeated(text, tmp_path):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(
            app, ["config", "check", str(tmp_path / "c.yaml")], catch_exceptions=False
        )
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "options", ['{"mirror": "%s"', '["%s"]', '{"mirror": "%s"}', '{"mirror": ["%s"]}']
)
def test_options_of_a_command_line_are_not_repeated_either(options, tmp_path):
    command = ["data", "download", "--source", "gsl", "--raw", str(tmp_path / "raw"), "--options"]
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(app, [*command, options % UNSOUND[0]], catch_exceptions=False)
    assert SECRET not in str(caught.value)


@pytest.fixture
def settings(tmp_path):
    said = []
    return download_settings(tmp_path, tries=2, accepted=("GSL",), say=said.append)


def holding(folder: Path, text: str) -> list[str]:
    """Files below a folder that hold a text, and names that do."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(p) for p in files if text.encode() in p.read_bytes() or text in str(p)]


def test_a_password_of_netrc_is_sent_and_stored_nowhere(tmp_path, settings, monkeypatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    place = tmp_path / "study"
    place.mkdir()
    inside = replace(settings, cache=place / "c", checksums=place / "l")
    with serving({f"/m/{name}": data for name, data in gsl().items()}) as server:
        server.password = f"anna:{SECRET}"
        with pytest.raises(UserError, match="the server says 401"):
            download("gsl", {"mirror": server.url + "/m"}, place / "raw", inside)
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login anna password {SECRET}\n")
        (tmp_path / "netrc").chmod(0o600)
        server.faults["/m/GSL.zip"] = Fault(cut=50_000)
        download("gsl", {"mirror": server.url + "/m"}, place / "raw", inside)
    build("gsl", "gsl", {}, place / "clips", place / "raw", say=inside.say)
    encoded = base64.b64encode(f"anna:{SECRET}".encode()).decode()
    assert holding(place, SECRET) == holding(place, encoded) == []
    assert SECRET not in "\n".join(inside.say.__self__)


def test_what_a_redirect_names_is_neither_kept_nor_said(tmp_path, settings):
    """A store in a cloud redirects to an address that is signed for a while."""
    with serving({f"/signed?X-Amz-Signature={SECRET}": b"x" * 200_000}) as server:
        for i, fault in enumerate([Fault(status=404), Fault(cut=0), Fault(status=500)]):
            signed = f"/signed?X-Amz-Signature={SECRET}"
            server.faults[f"/{i}"] = Fault(redirect=server.url + signed, times=-1)
            server.faults[signed] = Fault(**{**vars(fault), "times": -1})
            with pytest.raises(UserError) as caught:
                fetch([File(f"f{i}", f"{server.url}/{i}")], tmp_path / "cache", settings)
            assert SECRET not in str(caught.value)
        server.faults["/user"] = Fault(redirect=f"http://anna:{SECRET}@127.0.0.1/a", times=-1)
        server.faults["/ftp"] = Fault(redirect=f"ftp://anna:{SECRET}@127.0.0.1/a", times=-1)
        for path in ("user", "ftp"):
            with pytest.raises(UserError) as caught:
                fetch([File(path, f"{server.url}/{path}")], tmp_path / "cache", settings)
            assert SECRET not in str(caught.value)
        server.faults.pop(signed)
        fetch([File("f1", f"{server.url}/1")], tmp_path / "cache", settings)
    assert holding(tmp_path, SECRET) == []


@pytest.mark.parametrize("url", UNSOUND[:2])
def test_an_address_that_comes_by_another_way_is_not_asked(url, tmp_path, settings):
    with pytest.raises(UserError, match="user name or password") as caught:
        fetch([File("a", url)], tmp_path / "cache", settings)
    assert SECRET not in str(caught.value)


PLACES = {
    "results": f"/home/{SECRET}/results",
    "downloads": {"folder": f"/scratch/{SECRET}/downloads", "parallel": 2},
    "accept_licences": ["GSL"],
    "resources": {"pretrain": {"partition": SECRET}, "threads": 3},
    "datasets": {
        "gsl": {"source": "gsl", "options": {"mirror": f"/mnt/{SECRET}/gsl"}},
        "mine": {
            "source": "local",
            "options": {"folder": f"~/{SECRET}/mine", "table": f"../{SECRET}/labels.csv"},
        },
        "far": {"source": "gsl", "options": {"files": {"GSL.zip": f"/mnt/{SECRET}/GSL.zip"}}},
    },
}


def test_places_on_this_machine_and_what_decides_nothing_are_not_published():
    resolved = parse(StudyConfig, study(**PLACES), "study").model_dump(mode="json")
    shown = published(resolved)
    assert SECRET not in json.dumps(shown)
    assert not {"downloads", "accept_licences"} & set(shown)
    assert shown["resources"] == {"threads": 3}
    assert shown["datasets"]["mine"]["options"] == {"folder": "mine", "table": "labels.csv"}
    assert shown["results"] == "results"
    assert {**shown, "datasets": 0} == {**published(shown), "datasets": 0}
    parse(StudyConfig, shown, "what was published")  # `sslslr why` reads it again


@pytest.mark.parametrize(
    "changes",
    [
        {"datasets": {"gsl": {"source": "gsl", "options": {"mirror": "host:/home/anna/gsl"}}}},
        {"datasets": {"gsl": {"source": "gsl", "options": {"mirror": "https://example.org/a?x=abcd"}}}},
        {"note": "made of /home/anna/mine"},
        {"note": "see https://example.org/a#part"},
        {"claims": "/home/anna/claims.yaml"},
    ],
)  # fmt: skip
def test_dvc_is_not_given_what_is_not_published(changes, monkeypatch):
    settings = parse(StudyConfig, study(**changes), "study")
    refuse_places_in_dvc_lock(settings)
    monkeypatch.setenv("DVC_STAGE", "extract")
    with pytest.raises(UserError, match="DVC would write it into dvc.lock") as refused:
        refuse_places_in_dvc_lock(settings)
    assert "anna" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"AWS_SECRET_ACCESS_KEY={SECRET}", f"fetched with token={SECRET}", f"Authorization: Bearer {SECRET}abcd",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}",
    ],
)  # fmt: skip
def test_a_secret_that_stands_in_a_text_is_refused(text):
    with pytest.raises(UserError, match="what looks like a password or a token") as refused:
        refuse_secrets({"note": text}, "study")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("text", ["max_tokens=100000", "tokens = clips", "secret: the signs", "$5"])
def test_a_text_that_speaks_of_tokens_is_none(text):
    refuse_secrets({"note": text}, "study")
    assert published({"note": text}) == {"note": text}


def test_the_card_of_a_clip_store_names_no_folder(tmp_path):
    folder = tmp_path / SECRET
    for part in ("a", "b"):  # of one name, so that the name alone does not tell them apart
        (folder / part).mkdir(parents=True)
        (folder / part / "1.npy").write_bytes(npy(np.full((4, 75, 2), 0.5, np.float32)))
    (folder / "labels.csv").write_text("file,gloss\na/1.npy,x\nb/1.npy,y\n")
    build("m", "local", {"folder": str(folder)}, tmp_path / "clips", say=lambda line: None)
    assert holding(tmp_path / "clips", SECRET) == []
    inputs = json.loads((tmp_path / "clips/card.json").read_text())["inputs"]
    assert set(inputs) == {"labels.csv", "a/1.npy", "b/1.npy"}


def test_dvc_records_nothing_of_where_files_are_kept():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    keys = {
        k
        for stage in stages
        for params in stage.get("params", [])
        for k in next(iter(params.values()))
    }
    assert keys
    assert not {"downloads", "accept_licences", "resources"} & keys
