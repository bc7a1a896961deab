"""A file of settings in YAML, read so that nothing in it goes unseen."""

from pathlib import Path
from typing import Any

import yaml

from sslslr.errors import UserError


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error: the first would go unseen."""

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


def read(path: str | Path) -> dict[str, Any]:
    """The keys of a YAML file, not yet checked.

    Raises:
        UserError: no such file, not YAML, a key that stands twice.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such configuration file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}).") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise UserError(
            f"{path}: expected a mapping of keys at the top level, see config/README.md."
        )
    return values
