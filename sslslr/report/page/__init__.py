"""The page: the study in one self-contained file."""
