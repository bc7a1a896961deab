"""Using a pretrained encoder outside a study, with the core dependencies alone."""
