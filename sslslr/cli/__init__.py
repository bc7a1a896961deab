"""The command line, `sslslr VERB`: thin, one module a group of verbs."""
