"""Downloads that resume, with checksums."""
