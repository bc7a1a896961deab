"""sslslr: self-supervised representation learning for sign language recognition, reproduced."""

__version__ = "0.1.0"
