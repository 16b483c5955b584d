"""Size and shape of the source, as a Markdown table.

python benchmarks/code_table.py [--tests tests] src/onebox
"""

import argparse
import ast
import io
import re
import statistics
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef

_LONG = 40  # code lines; a longer function should be looked at
_MANY = 6  # parameters


@dataclass(frozen=True, slots=True)
class Module:
    """One file.

    Attributes:
        path: The file.
        tree: Its syntax tree.
        lines: Number of lines.
        code: Line numbers (from 1) with code: no blank, comment or docstring line.
        comments: Number of lines with nothing but a comment.
        docstrings: Number of docstring lines.
    """

    path: Path
    tree: ast.Module
    lines: int
    code: frozenset[int]
    comments: int
    docstrings: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--tests", type=Path)
    options = parser.parse_args()
    modules = [_read(path) for path in sorted(options.source.rglob("*.py"))]
    rows = [*_files(modules), *_functions(modules), *_text(modules)]
    if options.tests is not None:
        tests = [_read(path) for path in sorted(options.tests.rglob("*.py"))]
        rows += _tests(modules, tests)
    print("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), sep="\n")


def _read(path: Path) -> Module:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    docstrings = {number for node in ast.walk(tree) for number in _docstring_lines(node)}
    comments, code = set(), set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        span = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.string.strip() and token.type != tokenize.ENCODING:
            code.update(span)
    code -= docstrings
    lines = len(text.splitlines())
    return Module(path, tree, lines, frozenset(code), len(comments - code), len(docstrings))


def _docstring_lines(node: ast.AST) -> Iterator[int]:
    """Lines of a definition's docstring, and of strings below assignments."""
    body = getattr(node, "body", None)
    for statement in body if isinstance(body, list) else []:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if is_text and isinstance(statement.value.value, str):
            yield from range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _functions_of(module: Module) -> Iterator[Function]:
    """Functions and methods, without overloads."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function) and not any(
            "overload" in ast.unparse(each) for each in node.decorator_list
        ):
            yield node


def _files(modules: Sequence[Module]) -> Iterator[tuple[str, object]]:
    lengths = [module.lines for module in modules]
    code = sum(len(module.code) for module in modules)
    yield "files", len(modules)
    yield "lines / code lines", f"{sum(lengths)} / {code}"
    yield "file length, median / maximum", f"{statistics.median(lengths):g} / {max(lengths)}"


def _functions(modules: Sequence[Module]) -> Iterator[tuple[str, object]]:
    functions = [(module, each) for module in modules for each in _functions_of(module)]
    whole = [(each.end_lineno or each.lineno) - each.lineno + 1 for _, each in functions]
    code = sorted(_code_lines(module, each) for module, each in functions)
    long = sum(length > _LONG for length in code)
    medians = f"{statistics.median(whole):g} / {statistics.median(code):g}"
    yield "functions", len(functions)
    yield "function length, median, all lines / code", medians
    yield (
        "function code lines, 90th percentile / maximum",
        f"{code[int(0.9 * len(code))]} / {code[-1]}",
    )
    yield f"functions with more than {_LONG} code lines", f"{long} ({long / len(code):.1%})"
    public = [each for module in modules for each in _public(module.tree)]
    yield "public functions with a docstring", _fraction(public, ast.get_docstring)
    raising = [
        each for each in public if any(isinstance(node, ast.Raise) for node in _own_nodes(each))
    ]
    yield (
        "public functions that raise and document it",
        _fraction(raising, lambda each: _has_section(each, "Raises")),
    )
    yield "public functions with Args", _fraction(public, lambda each: _has_section(each, "Args"))
    yield (
        f"functions with more than {_MANY} parameters",
        sum(_parameters(e) > _MANY for _, e in functions),
    )
    yield "functions with **kwargs", sum(each.args.kwarg is not None for _, each in functions)
    classes = [node for m in modules for node in ast.walk(m.tree) if isinstance(node, ast.ClassDef)]
    methods = [(sum(isinstance(each, Function) for each in one.body), one.name) for one in classes]
    yield "methods in the largest class", "{} ({})".format(*max(methods))


def _public(tree: ast.Module) -> Iterator[Function]:
    """Functions of a module and methods of its classes whose names have no leading underscore."""
    scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for scope in scopes:
        for node in scope.body:
            if isinstance(node, Function) and not node.name.startswith("_"):
                yield node


def _text(modules: Sequence[Module]) -> Iterator[tuple[str, object]]:
    code = sum(len(module.code) for module in modules)
    yield "comment lines / code", f"{sum(module.comments for module in modules) / code:.1%}"
    yield "docstring lines / code", f"{sum(module.docstrings for module in modules) / code:.0%}"
    numbers = [each for module in modules for each in module.tree.body if _is_number(each)]
    yield "module-level numeric constants", len(numbers)
    names = [module.path.name for module in modules if module.path.name != "__init__.py"]
    yield "file names that occur twice", len({name for name in names if names.count(name) > 1})
    asserts = [n for module in modules for n in ast.walk(module.tree) if isinstance(n, ast.Assert)]
    yield "`assert` in the source", len(asserts)


def _tests(modules: Sequence[Module], tests: Sequence[Module]) -> Iterator[tuple[str, object]]:
    lines = sum(module.lines for module in tests)
    yield "test lines / source lines", f"{lines / sum(module.lines for module in modules):.2f}"
    found = [
        (each.end_lineno or each.lineno) - each.lineno + 1
        for module in tests
        for each in _functions_of(module)
        if each.name.startswith("test_")
    ]
    yield "tests; median length", f"{len(found)}; {statistics.median(found):g}"


def _code_lines(module: Module, function: Function) -> int:
    span = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    return sum(number in module.code for number in span)


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function, without those of nested functions."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _has_section(function: Function, section: str) -> bool:
    return re.search(rf"^{section}:", ast.get_docstring(function) or "", re.MULTILINE) is not None


def _parameters(function: Function) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(each.arg not in {"self", "cls"} for each in named)


def _fraction(functions: Sequence[Function], holds: Callable[[Function], object]) -> str:
    count = sum(bool(holds(each)) for each in functions)
    return f"{count}/{len(functions)} ({count / max(1, len(functions)):.0%})"


def _is_number(statement: ast.stmt) -> bool:
    """Whether a statement names a number or a tuple of numbers."""
    value = getattr(statement, "value", None)
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    is_assignment = isinstance(statement, ast.Assign | ast.AnnAssign)
    kinds = {type(part.value) if isinstance(part, ast.Constant) else None for part in parts}
    return is_assignment and bool(kinds) and kinds <= {int, float}


if __name__ == "__main__":
    main()
