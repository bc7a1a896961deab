"""Check an RO-Crate against the profile Process Run Crate, without a network (`make test-crate`).

    python scripts/check_crate.py FOLDER [required|recommended]

Needs an environment of its own with roc-validator and rocrate, which want an older `rich` than this
project has. The validator would fetch the JSON-LD context of RO-Crate 1.1; the copy that the package
rocrate carries (up to 0.14.2) is given to it instead. Exit status 1 if a requirement is not met.
"""

import json
import sys
from pathlib import Path

import rocrate
from rocrate_validator import services
from rocrate_validator.models import Severity
from rocrate_validator.utils import document_loader, http

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def bundled(url: str) -> dict:
    """The context that rocrate carries, for its own address; every other address is an error."""
    if url.removesuffix("/") != CONTEXT:
        raise LookupError(f"{url}: not to be fetched")
    return json.loads((Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_text())


class Answer:
    """What the validator asks a web server for: the context, again."""

    status_code, ok, headers, links = 200, True, {"Content-Type": "application/ld+json"}, {}

    def __init__(self, url: str):
        self._value, self.url = bundled(url), url
        self.text = json.dumps(self._value)

    def json(self) -> dict:
        return self._value


def main() -> int:
    folder, severity = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else "required").upper()
    document_loader._fetch_json_ld = bundled
    http.HttpRequester.get = lambda requester, url, **options: Answer(url)
    result = services.validate(
        services.ValidationSettings(
            rocrate_uri=folder,
            profile_identifier="process-run-crate",
            requirement_severity=Severity[severity],
            abort_on_first=False,
        )
    )
    for issue in result.get_issues():
        print(f"{issue.severity.name}: {issue.message} ({issue.check.identifier})")
    print(f"{folder}: {len(result.executed_checks)} checks, {len(result.get_issues())} issues")
    return int(bool(result.get_issues()))


if __name__ == "__main__":
    sys.exit(main())
