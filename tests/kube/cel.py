"""The part of CEL (cel.dev) that whittle's admission policies are written in: strings, lists, members,
has(), all(), !, ==, !=, in, &&, ||, ?:. Anything else, a member that is not there, and operands of the wrong type
are errors, as in the real one. Debian has no evaluator of CEL; this one agrees with cel-go 0.26 on the cases of
tests/cli/kube_policy_test.py."""

import json
import re

TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|&&|\|\||==|!=|[!?:.,()\[\]])')


class Parser:
    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            assert found, ("no CEL", text[at:at + 40])
            self.tokens.append(found[1])
            at = found.end()

    def peek(self):
        return self.tokens[0] if self.tokens else None

    def take(self, wanted=None):
        token = self.tokens.pop(0)
        assert wanted in (None, token), (wanted, token)
        return token

    def whole(self):
        made = self.ternary()
        assert not self.tokens, self.tokens
        return made

    def ternary(self):
        condition = self.either()
        if self.peek() != "?":
            return condition
        self.take("?")
        yes = self.either()
        self.take(":")
        no = self.ternary()
        return lambda env: yes(env) if boolean(condition(env)) else no(env)

    def either(self):
        parts = [self.both()]
        while self.peek() == "||":
            self.take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda env: any(boolean(part(env)) for part in parts)

    def both(self):
        parts = [self.relation()]
        while self.peek() == "&&":
            self.take()
            parts.append(self.relation())
        return parts[0] if len(parts) == 1 else lambda env: all(boolean(part(env)) for part in parts)

    def relation(self):
        left = self.unary()
        operator = self.peek()
        if operator not in ("==", "!=", "in"):
            return left
        self.take()
        right = self.unary()
        return {"==": lambda env: left(env) == right(env), "!=": lambda env: left(env) != right(env),
                "in": lambda env: left(env) in right(env)}[operator]

    def unary(self):
        if self.peek() == "!":
            self.take()
            value = self.unary()
            return lambda env: not boolean(value(env))
        return self.member()[0]

    def member(self):
        """The value, and whether it is there: for has()."""
        value, there = self.primary(), None
        while self.peek() == ".":
            self.take(".")
            name = self.take()
            if name == "all" and self.peek() == "(":
                value, there = self.all(value), None
                continue
            owner = value
            value = lambda env, owner=owner, name=name: owner(env)[name]  # noqa: E731
            there = lambda env, owner=owner, name=name: name in owner(env)  # noqa: E731
        return value, there

    def all(self, owner):
        self.take("(")
        variable = self.take()
        self.take(",")
        condition = self.ternary()
        self.take(")")
        return lambda env: all(boolean(condition({**env, variable: each})) for each in owner(env))

    def primary(self):
        token = self.take()
        if token == "(":
            value = self.ternary()
            self.take(")")
            return value
        if token == "[":
            items = []
            while self.peek() != "]":
                items.append(self.ternary())
                if self.peek() == ",":
                    self.take()
            self.take("]")
            return lambda env: [item(env) for item in items]
        if token[0] == '"':
            return lambda env: json.loads(token)
        if token == "has":
            self.take("(")
            _, there = self.member()
            self.take(")")
            assert there, "has() takes a member"
            return there
        return lambda env: env[token]


def boolean(value):
    assert isinstance(value, bool), ("not a bool", value)
    return value


def admits(policy, value, operation):
    """What a ValidatingAdmissionPolicy says of an object that it is asked about."""
    spec, variables = policy["spec"], {}
    env = {"object": value, "request": {"operation": operation}, "variables": variables}

    def ask(expression):
        return Parser(expression).whole()(env)
    if not all(boolean(ask(each["expression"])) for each in spec["matchConditions"]):
        return True
    for each in spec["variables"]:
        variables[each["name"]] = ask(each["expression"])
    return all(boolean(ask(each["expression"])) for each in spec["validations"])
