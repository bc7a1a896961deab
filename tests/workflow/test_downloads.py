"""A study whose data set is downloaded: what a failure leaves, and what makes nothing stale."""

import json

import pytest
import yaml

from openhands_toys import gsl
from servers import Fault, serving

pytestmark = [pytest.mark.slow, pytest.mark.workflow]  # four starts of Snakemake: 30 s of CPU


def test_a_failed_download_goes_on_and_settings_make_nothing_stale(fresh, copy_of):
    project = copy_of(fresh)
    config = project.path / "config/demo.yaml"
    study = yaml.safe_load(config.read_text())

    def write(**changes):
        config.write_text(yaml.safe_dump({**study, **changes}))

    files = {f"/{name}": data for name, data in gsl().items()}
    with serving(files) as server:
        study["datasets"] = {"gsl": {"source": "gsl", "options": {"mirror": server.url}}}
        study["runs"] = [{"methods": ["sl_fpn"], "datasets": ["gsl"]}]
        study["downloads"] = {"allow_http": True}
        write()
        failed = project.run("snakemake", "extract", "--cores", "1", check=False)
        assert failed.returncode != 0
        assert "add 'GSL' to accept_licences" in failed.stdout + failed.stderr
        assert server.log == []

        study["accept_licences"] = ["GSL"]
        write()
        server.faults["/GSL.zip"] = Fault(status=404)
        failed = project.run("snakemake", "extract", "--cores", "1", check=False)
        assert failed.returncode != 0
        assert "GSL.zip: the server says 404" in failed.stdout + failed.stderr
        assert not (project.path / "results/data/gsl/raw").exists()

        server.log.clear()
        project.run("snakemake", "extract", "--cores", "1")
        assert server.gets() == [None]  # the lists were kept from the run that failed
        assert {path for _, path, _ in server.log} == {"/GSL.zip"}
    assert (project.path / "config/checksums.lock").is_file()
    sealed = json.loads((project.path / "results/seals/download/gsl.json").read_text())["files"]
    assert sorted(sealed) == sorted(f"data/gsl/raw/{name}" for name in gsl())
    write(accept_licences=["GSL", "C-UDA"], downloads={"allow_http": False, "parallel": 1})
    assert project.dry_run("extract", "--cores", "1") == set()
