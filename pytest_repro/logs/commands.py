"""pytest command lines, wherever a log shows them: step titles, scripts, traces, prompts, tox and docker."""

from __future__ import annotations

import re

LONGEST_COMMAND = 8000
"""Characters; a longer line is not looked at for a command."""

_RUNNER = (
    r"(?:(?:uv|poetry|pdm|hatch|pipenv|rye|pixi) run (?:-\S+ )*|xvfb-run (?:-\S+ )*|"
    r"coverage run (?:-\S+ )*-m |env |sudo (?:-\S+ )*|nice (?:-\S+ )*|timeout (?:-\S+ )*\S+ |"
    r"(?:\S*/)?python[\d.]*(?:\.exe)? (?:-[XW] ?\S+ |-[A-Za-z]+ )*-m (?:coverage run (?:-\S+ )*-m )?|"
    r"stdbuf \S+ |catchsegv |conda run (?:-\S+ +(?:[^\s-]\S* +)??)*|mpirun (?:-\S+ (?:\S+ )??)*)"
)
_ASSIGNMENT = r"(?:[A-Za-z_]\w*=(?:\"[^\"]*\"|'[^']*'|[^\s;|&]*) )"
_PYTEST = r"(?:\S*/)?(?:pytest|py\.test|pytest-3)(?:\.exe)?"
_COMMAND = re.compile(
    rf"(?P<command>(?:{_ASSIGNMENT}|{_RUNNER})*{_PYTEST}(?=$|[\s;|&)\"'`])(?:\s+(?P<rest>.*))?)"
)
_UNITTEST_COMMAND = re.compile(
    r"(?P<command>(?:(?:uv|poetry|pdm|hatch|pipenv|rye|pixi) run (?:-\S+ )*)?"
    r"(?:coverage run (?:-\S+ )*|(?:\S*/)?python[\d.]*(?:\.exe)? (?:-[XW] ?\S+ |-\w+ )*)"
    r"(?:-m (?:unittest|nose2?|twisted\.trial|django test)\b.*|"
    r"(?:\S*/)?(?:manage\.py test|setup\.py test)\b.*|\S*test\w*\.py\b.*)|"
    r"nosetests\b.*|nose2\b.*|(?:\S*/)?trial \S.*|\./(?:\S*/)?(?:runtests\.py|manage\.py test)\b.*)"
)
_TOLD_AFTER = re.compile(
    r"nox > Command (?P<nox>\S.*?) failed with exit code -?\d+|"
    r"ERROR: +InvocationError for command (?P<tox3>\S.*?) \(exited with code -?\d+\)|"
    r"[\w.-]+: exit -?\d+ \([^)]*\) \S*> (?P<tox4>\S.*?)(?: pid=\d+)?|"
    r"The command \"(?P<travis>\S.*)\" exited with \d+\.|"
    r"The command '/bin/sh -c (?P<docker>\S.*)' returned a non-zero code: \d+|"
    r".*ERROR: .*process \"/bin/sh -c (?P<buildx>\S.*)\" did not complete successfully: exit code: \d+"
)
_LEADS = re.compile(
    r"(?:\s*(?:\$|\+{1,3}|>|%|#)\s+|(?:PS )?[A-Za-z]:\\[^>\"'`]*> ?|"
    r"[^\s\"'`=]{1,80}(?: [^\"'`=]{0,60})? [$%#\u00bb\u276f\u279c\u2192\u03bb\u2717] +|"
    r"Step \d+/\d+ : RUN |(?:#\d+ )?\[[^\]]*\d+/\d+\] RUN |\([\w./-]+\) ?(?=\S+@\S+[:~ ])|Run |"
    r"\S+@\S+[:~][^#$]*[#$] ?|\([^\s()]+\) ?(?:[^\s\"'`=]+ ){0,3}?(?:[^\s\"'`=]*(?<=[\w/)~]))?[$#%>] ?|"
    r".*?commands\[\d+\](?: \| |> )|.*?:test_tube: Command \(\d+/\d+\): |.*?\bCommand: |Executing: ?|"
    r"run(?:_args|_cmd)?: |command: |.*?\bTest Script: |\[command\]|##\[command\]|"
    r"Running(?: command)?:? |Executing command:? |cmd: |nox > |"
    r"\s*[-*] |eval |\s+){0,8}"
)
_PROMPT = re.compile(r"\$ |\+ |% |\(|\[|#\d+ \[|\S+@\S+[:~]|Step \d+/\d+ : RUN ")
_CUT = re.compile(
    r"\s*(?:&&|\|\||;|(?<![<>&\d])\|(?!\|)|2>&1|(?<!\S)>{1,2}\s?\S|(?<!\S)&>\s?\S|(?<!\S)#\s).*"
)
_NOT_A_CALL = re.compile(
    r"(?:\bpip3?\b.*\binstall|\bconda\b.*\binstall|\bapt(?:-get)?\b.*\binstall|\buv (?:add|sync|pip)|"
    r"poetry add|Collecting |Requirement already|Downloading |Installing |Successfully |Using cached |"
    r"echo |sed -i|which |grep |if ! command)"
)
_CONDA = re.compile(r"conda run (?:(?:-n|-p|--name|--prefix)[ =]\S+ +|-\S+ +)*")
_PROSE = re.compile(
    r"(?:[-=]{0,2}[\d.]+\S*|is|was|has|can|will|and|or|to|in|for|from|not|with|plugins?|version|tests?"
    r"|failed|passed|exited|configuration|cache|results?|reports?|output|run|:.*|=.*|,.*|-- .*)(?:\s.*)?"
)


def pytest_command(text: str) -> str | None:
    """Reads the pytest call of a line; None where the line only speaks of pytest.

    What a shell would do beside it (`&& ...`, `| tee`, redirections, comments) is cut off.
    """
    if "pytest" not in text and "py.test" not in text:
        return None
    if len(text) > LONGEST_COMMAND:
        return None
    lead = _LEADS.match(text)
    rest = text[lead.end() :] if lead else text
    match = _COMMAND.match(rest) or _after_shell(rest)
    if match is None or _is_prose(match["rest"]) or _NOT_A_CALL.search(_simple_command(match)):
        return None
    return shell_word_end(_CONDA.sub("", match["command"]))


def _simple_command(match: re.Match[str]) -> str:
    """The text from the last shell separator up to where the call of pytest was found."""
    before = match.string[: match.start("rest") if match["rest"] else match.end()]
    return re.split(r"&&|\|\||;", before)[-1]


def _after_shell(text: str) -> re.Match[str] | None:
    """Finds a call behind `&&`, `;` and shell keywords."""
    for separator in re.finditer(r"(?:&&|;|\|\||\bthen\b|\bdo\b|\bbash -l?c ['\"]|\bif ! |\bif )\s*", text):
        match = _COMMAND.match(text, separator.end())
        if match is not None:
            return match
    return None


_OPTION_OR_PATH = re.compile(r"-|tests?[/\\.]|tests?(?:\s+-|$)")


def _is_prose(rest: str | None) -> bool:
    if rest is None or _OPTION_OR_PATH.match(rest):
        return False
    return bool(_PROSE.fullmatch(rest))


def shell_word_end(command: str) -> str:
    """Cuts a command where the shell would end it, quotes respected."""
    quote = ""
    for index, character in enumerate(command):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif _CUT.match(command, index):
            command = command[:index]
            break
    command = command.strip().rstrip("\\").strip()
    for mark in "'\"":
        if command.count(mark) % 2 and command.endswith(mark):
            command = command[:-1].rstrip()
    return command


def told_command(text: str) -> str | None:
    """Reads the pytest call that nox, tox, Travis or docker name when it has failed."""
    match = _TOLD_AFTER.fullmatch(text) if len(text) <= LONGEST_COMMAND else None
    told = match[str(match.lastgroup)] if match is not None else None
    return pytest_command(told) if told is not None else None


def unittest_command(text: str, *, in_script: bool = False) -> str | None:
    """Reads the call of a unittest runner from a prompt or a trace.

    Args:
        text: The line.
        in_script: Whether it is one of a script's lines, which no prompt has to tell from prose.
    """
    if len(text) > LONGEST_COMMAND or not (in_script or _PROMPT.match(text)):
        return None
    lead = _LEADS.match(text)
    if lead is None or not (in_script or lead.group().strip()):
        return None
    match = _UNITTEST_COMMAND.fullmatch(text[lead.end() :].rstrip())
    if match is None:
        return None
    return shell_word_end(match["command"])


class Branches:
    """Follows the `if` blocks of a script whose conditions compare two literals."""

    def __init__(self) -> None:
        self._taken: list[bool | None] = []

    @property
    def is_taken(self) -> bool:
        """Whether the line last read may have been run."""
        return all(taken is not False for taken in self._taken)

    @property
    def is_certain(self) -> bool:
        """Whether the line last read was run for certain, if the script was."""
        return all(self._taken)

    def feed(self, text: str) -> None:
        """Takes the next line of the script."""
        word = text.strip()
        if word.startswith("if "):
            self._taken.append(_literal_condition(word))
        elif self._taken and word.startswith("elif "):
            self._taken[-1] = False if self._taken[-1] else _literal_condition(word)
        elif self._taken and word in {"else", "else;"}:
            self._taken[-1] = None if self._taken[-1] is None else not self._taken[-1]
        elif self._taken and (word == "fi" or word.startswith(("fi ", "fi;"))):
            self._taken.pop()


_CONDITION = re.compile(
    r"(?:el)?if \[\[? (?P<a>[\"']?)(?P<left>[^$`\"']*)(?P=a) (?P<sign>={1,2}|!=) "
    r"(?P<b>[\"']?)(?P<right>[^$`\"']*)(?P=b) \]\]?(?:;.*)?"
)


def _literal_condition(text: str) -> bool | None:
    match = _CONDITION.fullmatch(text)
    return None if match is None else (match["left"] == match["right"]) == (match["sign"] != "!=")
