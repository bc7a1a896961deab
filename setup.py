"""Put the files of a study into the wheel (`sslslr init` writes them); the rest is pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# Beside this file in the repository, below sslslr/study_files/ in a wheel (sslslr/cli/init.py).
STUDY_FILES = ("Snakefile", "config", "profiles", "workflow")


class BuildWithStudyFiles(build_py):
    """setuptools' own, and a copy of the study's files; an editable install reads the repository's."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "sslslr", "study_files")
        shutil.rmtree(target, ignore_errors=True)
        for name in STUDY_FILES:
            source = Path(__file__).parent / name
            if source.is_dir():
                shutil.copytree(source, target / name)
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target / name)


setup(cmdclass={"build_py": BuildWithStudyFiles})
