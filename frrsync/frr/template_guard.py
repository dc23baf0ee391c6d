"""What an operator's template gets compiled in: a look at the clock and a count of what it makes.

The sandbox sees calls, attributes and operators, but not loops, ``~``, literals and slices. Here they are
given to functions of the environment. With ``marks``, every printed line also carries where it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.visitor import NodeTransformer

if TYPE_CHECKING:
    from jinja2 import Environment

    from frrsync.frr.origin import Marks


class Guard(NodeTransformer):
    """Rewrites one parsed template; Jinja calls each method by the name of the node."""

    def __init__(self, environment: Environment, filename: str, marks: Marks | None) -> None:
        self._environment = environment
        self._filename = filename
        self._marks = marks

    def guard(self, source: nodes.Template) -> None:
        """Rewrite in place."""
        self.generic_visit(source)
        source.body.insert(0, self._statement("tick", 1))

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """Look at the clock in every round, also in those that a condition leaves out."""
        self.generic_visit(node)
        node.body.insert(0, self._statement("tick", node.lineno))
        if node.test is not None:
            node.test = self._placed(nodes.And(self._call("tick", node.lineno), node.test), node.lineno)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        """Look at the clock in every call."""
        self.generic_visit(node)
        node.body.insert(0, self._statement("tick", node.lineno))
        return node

    visit_CallBlock = visit_Macro

    def visit_Output(self, node: nodes.Output) -> list[nodes.Node]:
        """Count constant text: within loops it adds up as well."""
        self.generic_visit(node)
        size = sum(len(item.data) for item in node.nodes if isinstance(item, nodes.TemplateData))
        if self._marks is not None:
            node.nodes = self._marked(node.nodes, self._marks)
        return [self._statement("spend", node.lineno, nodes.Const(size)), node]

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """Count what ``~`` makes."""
        self.generic_visit(node)
        return self._call("concatenate", node.lineno, *node.nodes)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """Look at the clock: comparing large values takes a while, and one expression may do it often."""
        self.generic_visit(node)
        node.expr = self._call("watched", node.lineno, node.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """Count what a slice copies."""
        self.generic_visit(node)
        return self._call("charged", node.lineno, node) if isinstance(node.arg, nodes.Slice) else node

    def visit_List(self, node: nodes.List | nodes.Tuple) -> nodes.Node:
        """Count what a literal holds, nested values as often as they occur in it."""
        self.generic_visit(node)
        is_constant = all(isinstance(item, nodes.Const) for item in node.items)
        return node if is_constant else self._call("charged", node.lineno, node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        """Count as above, but for a tuple of names that are set."""
        return self.visit_List(node) if node.ctx == "load" else self.generic_visit(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        """Count as above."""
        self.generic_visit(node)
        return self._call("charged", node.lineno, node)

    def visit_ScopedEvalContextModifier(self, node: nodes.ScopedEvalContextModifier) -> nodes.Node:
        """Refuse ``autoescape``: FRR has no markup, and escaped text would not be counted."""
        raise TemplateSyntaxError("autoescape is not for templates of FRR", node.lineno, None, self._filename)

    def _marked(self, printed: list[nodes.Expr], marks: Marks) -> list[nodes.Expr]:
        """Return what is printed with a mark at the beginning and in every new line."""
        found: list[nodes.Expr] = []
        for number, item in enumerate(printed):
            line = item.lineno
            if not number:
                found.append(nodes.TemplateData(marks.mark(self._filename, line), lineno=line))
            if isinstance(item, nodes.TemplateData):
                texts = item.data.split("\n")
                # what follows the last end of a line may be ours
                last = len(texts) - (not texts[-1] and number == len(printed) - 1)
                begun = [marks.mark(self._filename, line + index) for index in range(1, last)]
                begun += [""] * (len(texts) - last)
                data = "\n".join([texts[0], *(mark + text for mark, text in zip(begun, texts[1:], strict=True))])
                found.append(nodes.TemplateData(data, lineno=line))
            else:
                found.append(item)
        return found

    def _statement(self, name: str, line: int, *arguments: nodes.Expr) -> nodes.Stmt:
        statement = nodes.ExprStmt(self._call(name, line, *arguments), lineno=line)
        statement.set_environment(self._environment)
        return statement

    def _call(self, name: str, line: int, *arguments: nodes.Expr) -> nodes.Expr:
        call = nodes.Call(nodes.EnvironmentAttribute(name), list(arguments), [], None, None)
        return self._placed(call, line)

    def _placed(self, node: nodes.Expr, line: int) -> nodes.Expr:
        node.set_environment(self._environment)
        node.set_lineno(line)
        return node
