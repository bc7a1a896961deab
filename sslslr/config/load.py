"""A file of settings in YAML, read so that nothing in it goes unseen."""

import os
from pathlib import Path
from typing import Any

import yaml

from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import UserFileError, read_user_text

LARGEST = 1 << 18  # bytes of a file of settings
MOST_KEYS = 10_000  # of one mapping


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error: the first would go unseen."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)  # `<<: *name`, which a few lines can blow up
        if len(node.value) > MOST_KEYS:
            raise UserError(f"a mapping of {len(node.value)} keys; at most {MOST_KEYS} are read.")

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.value != "<<":
                line = key_node.start_mark.line + 1
                if key_node.value in lines:
                    raise UserError(
                        f"key {key_node.value!r} stands twice, in lines {lines[key_node.value]} and {line}; "
                        "only one would count. Join them or remove one."
                    )
                lines[key_node.value] = line
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The keys of a YAML file, not yet checked.

    Raises:
        UserError: no such file, not YAML, a key that stands twice.
    """
    try:
        values = yaml.load(read_user_text(path, LARGEST), _Loader)
    except RecursionError:
        raise UserError(f"{path}: keys within keys without end. Write it flatter.") from None
    except UserFileError:
        if not os.path.lexists(path):
            raise UserError(f"{path}: there is no such configuration file.") from None
        raise
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except yaml.YAMLError as error:
        # Not its own text, which repeats lines of the file: one may hold a password.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "characters that YAML does not know"
        raise UserError(f"{path}{where}: not valid YAML ({what}).") from None
    # 2020-13-45, a number of 5,000 digits; of `!!int ""`, `!!bool x` and `!!timestamp x` PyYAML says it so.
    except (ValueError, IndexError, KeyError, AttributeError, TypeError, OverflowError):
        raise UserError(f"{path}: holds a number or a date that cannot be.") from None
    if not isinstance(values, dict):
        raise UserError(
            f"{path}: expected a mapping of keys at the top level, see config/README.md."
        )
    return values


def load(path: str | Path) -> StudyConfig:
    """Read a study's YAML file.

    Raises:
        UserError: no such file, not YAML, or an invalid key or value.
    """
    return parse(StudyConfig, read_yaml(path), str(path))
