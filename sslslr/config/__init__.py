"""The configuration: settings, the study, its runs."""
