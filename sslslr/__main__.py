"""The command `sslslr`, also as `python -m sslslr`."""

from sslslr.cli.interruption import told


def main() -> None:
    """Entry point. What it runs is imported within, for that takes a while and may be interrupted, too."""
    with told():
        from sslslr.cli.main import main

        main()


if __name__ == "__main__":
    main()
