"""What every room needs: errors, files, seeds, downloads, the registry."""
