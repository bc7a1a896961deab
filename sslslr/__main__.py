"""`python -m sslslr` is the command `sslslr`."""

from sslslr.cli.main import main

main()
