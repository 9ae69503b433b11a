"""LiteLLM's config.yaml as we read it: settings that act as environment, and deployments that become rows of routing.

Read before Django's settings exist, so nothing here imports Django. What we do not honour is listed, never silently dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway_project.env import WrongSetting
from gateway_project.first_run import write_private
from gateway_project.model_list import FileDeployment, deployments_from
from gateway_project.router_file import FilePolicy, policy_from
from gateway_project.yaml_source import Source, read_source

REMEMBERED = "config.path"
READ = frozenset({"model_list", "general_settings", "router_settings", "litellm_settings"})
HONOURED_GENERAL = {"master_key": "master_key", "database_url": "database_url", "litellm_key_header_name": "key_header"}


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """`environment` holds what acts before the database is known: master_key, database_url, key_header.

    `not_honoured` are dotted keys without effect; `missing` are environment names that honoured keys refer to and that are not set.
    """

    path: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    deployments: tuple[FileDeployment, ...] = ()
    policy: FilePolicy = field(default_factory=FilePolicy)
    not_honoured: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def remembered_config(home: Path, named: str) -> ConfigFile:
    """The file that TALLYGATE_CONFIG names, else the one that the last `serve --config` remembered in `home`."""
    if named:
        path = Path(named).expanduser()
        if not path.is_absolute():
            raise WrongSetting(f"TALLYGATE_CONFIG is {named!r}; an absolute path is needed, or every folder would mean another file.")
        return load_config(path)
    note = home / REMEMBERED
    if not note.exists():
        return ConfigFile()
    path = Path(note.read_text().strip())
    if not path.is_file():
        raise WrongSetting(f"{path} is not there, but `serve --config` remembered it. Put it back, or delete {note} to start without it.")
    return load_config(path)


def remember_config(home: Path, config: ConfigFile) -> None:
    write_private(home / REMEMBERED, f"{config.path}\n", replace=True)


def load_config(path: Path) -> ConfigFile:
    source = read_source(path)
    general, ignored_general = _general(source)
    deployments, ignored_models = deployments_from(source)
    policy, ignored_policy = policy_from(source)
    rest = [key for name in source.data if name not in READ for key in _leaves(source.data[name], str(name))]
    not_honoured = dict.fromkeys([*ignored_models, *ignored_general, *ignored_policy, *rest, *source.repeated])
    return ConfigFile(path, general, deployments, policy, tuple(not_honoured), tuple(dict.fromkeys(source.missing)))


def _general(source: Source) -> tuple[dict[str, str], list[str]]:
    """The honoured general_settings under our names, and the dotted keys of the others."""
    section = source.section("general_settings")
    environment, ignored = {}, []
    for name, value in section.items():
        ours = HONOURED_GENERAL.get(name)
        if ours is None:
            ignored.append(f"general_settings.{name}")
        elif found := source.text(value, "general_settings", name):
            environment[ours] = found
    return environment, ignored


def _leaves(section: object, prefix: str) -> list[str]:
    """One dotted key per setting of a section; what lies deeper belongs to that setting."""
    if isinstance(section, dict) and section:
        return [f"{prefix}.{name}" for name in section]
    return [] if section is None or section == {} else [prefix]
