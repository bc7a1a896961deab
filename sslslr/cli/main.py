"""`sslslr VERB`: one verb a stage. Verbs are thin; what they call is imported when they run."""

import sys

import typer

from sslslr.cli import config, data, evaluate, pose, pretrain, report
from sslslr.errors import UserError

app = typer.Typer(
    help="Self-supervised representation learning for sign language recognition, reproduced.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")
app.add_typer(pose.app, name="pose")
app.command("pretrain")(pretrain.pretrain)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(report.app, name="report")


def main() -> None:
    """Entry point; a UserError prints its text alone and exits with status 2."""
    try:
        app()
    except UserError as error:
        print(f"sslslr: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
