"""LiteLLM's config.yaml as we read it: settings that act as environment, and deployments that become rows of routing.

Read before Django's settings exist, so nothing here imports Django. What we do not honour is listed, never silently dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway_project.config_source import INCLUDE, VARIABLES, read_source
from gateway_project.env import WrongSetting
from gateway_project.first_run import write_private
from gateway_project.general_file import FileBudget, budget_from, callbacks_from, general_from
from gateway_project.jwt_settings import FileTokens, file_tokens
from gateway_project.model_list import FileDeployment, deployments_from
from gateway_project.router_file import FilePolicy, policy_from

REMEMBERED = "config.path"
READ = frozenset({"model_list", "general_settings", "router_settings", "litellm_settings", INCLUDE, VARIABLES})


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """`environment` holds what acts before the database is known: master_key, database_url, key_header …

    `variables` stand in for names that the environment does not set. `callbacks` are LiteLLM's names of what would be told of calls.
    `not_honoured` are dotted keys without effect; `missing` are environment names that honoured keys refer to and that are not set.
    """

    path: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    deployments: tuple[FileDeployment, ...] = ()
    policy: FilePolicy = field(default_factory=FilePolicy)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    callbacks: Mapping[str, list[str]] = field(default_factory=dict)
    budget: FileBudget | None = None
    tokens: FileTokens = field(default_factory=FileTokens)
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
    general, ignored_general = general_from(source)
    deployments, ignored_models = deployments_from(source)
    policy, ignored_policy = policy_from(source)
    tokens, ignored_tokens = file_tokens(source)
    rest = [key for name in source.data if name not in READ for key in _leaves(source.data[name], str(name))]
    return ConfigFile(
        path,
        general,
        deployments,
        policy,
        source.variables,
        callbacks_from(source),
        budget_from(source),
        tokens,
        tuple(dict.fromkeys([*ignored_models, *ignored_general, *ignored_policy, *ignored_tokens, *rest, *source.repeated])),
        tuple(dict.fromkeys(source.missing)),
    )


def _leaves(section: object, prefix: str) -> list[str]:
    """One dotted key per setting of a section; what lies deeper belongs to that setting."""
    if isinstance(section, dict) and section:
        return [f"{prefix}.{name}" for name in section]
    return [] if section is None or section == {} else [prefix]
