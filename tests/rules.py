"""What review must not have to notice: rules over one source file, each a function from the file to complaints.

`test_architecture.py` applies them to the repository and shows that each can fail.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

FILE_LINES = 500
FUNCTION_LINES = 50
LONGER_FUNCTIONS = {("proxy/flow.py", "walk"): 70}

PRODUCT = {"audit", "keys", "billing", "routing", "proxy", "console", "gateway_project", "manage.py"}
MONEY = {f"billing/{name}.py" for name in ("estimate", "money", "pricing", "usage", "window_posting")}
HOMELESS_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base_service", "manager", "managers"}
RISKY_MODULES = {"pickle", "marshal", "shelve", "subprocess", "runpy", "pty"}
RISKY_NAMES = {"eval", "exec", "compile", "__import__", "import_string", "import_module"}
RISKY_MEMBERS = {
    "os": re.compile(r"system|popen|exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?|fork"),
    "asyncio": re.compile(r"create_subprocess_(exec|shell)"),
    "builtins": re.compile(r"eval|exec|compile"),
    "importlib": re.compile(r"import_module"),
    "module_loading": re.compile(r"import_string"),
    "yaml": re.compile(r"(full_|unsafe_)load(_all)?"),
}
# A path of somebody's machine, an address of a package index.
FOREIGN_TEXT = re.compile(
    r"(?<![\w.}~*-])/(?:work|root)/\w"
    r"|/opt/(?:pypi|wheels)"
    r"|https?://[\w.-]*(?:pypi\.org/simple|pythonhosted\.org/|npmjs\.org/)"
    r"|--(?:extra-)?index-url[ =]"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    path: str
    text: str = field(repr=False)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text, self.path)))

    @property
    def functions(self) -> Iterator[Function]:
        return (node for node in self.nodes if isinstance(node, Function))


def last_name(node: ast.AST | None) -> str:
    """`load` of `yaml.load`, `yaml` of `yaml`."""
    return getattr(node, "attr", getattr(node, "id", ""))


def long_file(file: SourceFile) -> Iterator[str]:
    lines = file.text.count("\n")
    if lines > FILE_LINES:
        yield f"{lines} lines"


def long_functions(file: SourceFile) -> Iterator[str]:
    for function in file.functions:
        lines = (function.end_lineno or 0) - function.lineno + 1
        if lines > LONGER_FUNCTIONS.get((file.path, function.name), FUNCTION_LINES):
            yield f"{function.name} has {lines} lines"


def broad_excepts(file: SourceFile) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(each is None or last_name(each) in {"Exception", "BaseException"} for each in caught):
                yield f"line {node.lineno} catches everything"


def late_imports(file: SourceFile) -> Iterator[str]:
    is_app = PurePosixPath(file.path).name == "apps.py"
    for function in file.functions:
        late = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
        if late and not (is_app and function.name == "ready"):
            yield f"{function.name} imports"


def rebound_globals(file: SourceFile) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.Global):
            yield f"line {node.lineno}: global {', '.join(node.names)}"


def homeless_name(file: SourceFile) -> Iterator[str]:
    for part in PurePosixPath(file.path).with_suffix("").parts:
        if part in HOMELESS_NAMES:
            yield f"{part} says nothing"


def inexact_money(file: SourceFile) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"line {node.lineno}: float {node.value}"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"line {node.lineno}: true division"
        elif isinstance(node, ast.Call) and last_name(node.func) == "float":
            yield f"line {node.lineno}: conversion to float"


def risky_imports(file: SourceFile) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module or ""]
        else:
            continue
        yield from (
            f"line {node.lineno}: import of {name}" for name in names if name in RISKY_MODULES or _is_risky_member(*name.split(".")[-2:])
        )


def _is_risky_member(owner: str, member: str = "") -> bool:
    return owner in RISKY_MEMBERS and bool(RISKY_MEMBERS[owner].fullmatch(member))


def risky_uses(file: SourceFile) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.Name) and node.id in RISKY_NAMES:
            yield f"line {node.lineno}: {node.id}"
        elif isinstance(node, ast.Attribute) and _is_risky_member(last_name(node.value), node.attr):
            yield f"line {node.lineno}: {last_name(node.value)}.{node.attr}"
        elif isinstance(node, ast.Call) and (_loads_any_yaml(node) or _compiles_template(node)):
            yield f"line {node.lineno}: {last_name(node.func)} of a text"


def _loads_any_yaml(call: ast.Call) -> bool:
    is_load = isinstance(call.func, ast.Attribute) and call.func.attr in {"load", "load_all"} and last_name(call.func.value) == "yaml"
    loaders = [*call.args[1:], *(keyword.value for keyword in call.keywords if keyword.arg == "Loader")]
    return is_load and not any(last_name(loader) in {"SafeLoader", "CSafeLoader"} for loader in loaders)


def _compiles_template(call: ast.Call) -> bool:
    is_compiling = last_name(call.func) in {"Template", "from_string"}
    return is_compiling and not (call.args and isinstance(call.args[0], ast.Constant))


def boundless_caches(file: SourceFile) -> Iterator[str]:
    """`cache` keeps what it was asked for ever: at most one answer where there are no parameters."""
    for node in file.nodes:
        if isinstance(node, Function) and ast.unparse(node.args) and any(last_name(each) == "cache" for each in node.decorator_list):
            yield f"line {node.lineno}: {node.name} is remembered for whatever it is asked"
        elif isinstance(node, ast.Call) and last_name(node.func) in {"cache", "lru_cache"}:
            sizes = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "maxsize")]
            if not any(isinstance(size, ast.Constant) and isinstance(size.value, int) for size in sizes):
                yield f"line {node.lineno}: {last_name(node.func)} without a size"


def foreign_text(file: SourceFile) -> Iterator[str]:
    for number, line in enumerate(file.text.splitlines(), start=1):
        found = FOREIGN_TEXT.search(line)
        if found:
            yield f"line {number}: {found.group()}"


def is_python(path: str) -> bool:
    return path.endswith(".py") and "/migrations/" not in path


def is_product(path: str) -> bool:
    return is_python(path) and path.split("/")[0] in PRODUCT


@dataclass(frozen=True)
class Rule:
    complaints: Callable[[SourceFile], Iterator[str]]
    concerns: Callable[[str], bool] = is_python


RULES = {
    "long file": Rule(long_file),
    "long function": Rule(long_functions),
    "broad except": Rule(broad_excepts),
    "late import": Rule(late_imports),
    "rebound global": Rule(rebound_globals),
    "homeless name": Rule(homeless_name),
    "inexact money": Rule(inexact_money, MONEY.__contains__),
    "risky import": Rule(risky_imports, is_product),
    "risky use": Rule(risky_uses, is_product),
    "boundless cache": Rule(boundless_caches, is_product),
    "foreign text": Rule(foreign_text, lambda path: True),
}
