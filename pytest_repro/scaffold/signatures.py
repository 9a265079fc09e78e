"""What a reproduction knows of its failure, and how another failure compares with that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pytest_repro.errors import ScaffoldError
from pytest_repro.model import Signature
from pytest_repro.signature import differences, signature_from_dict
from pytest_repro.signature.messages import normalise_message, without_temporary

SIGNATURE_FILE = "signature.json"

_PLACE = re.compile(r"\.py:\d+|\bline \d+|0[xX][0-9a-fA-F]+")
_NUMBER = re.compile(r"(?<![A-Za-z_0-9])\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the failure.

    Attributes:
        signature: Of the failure in CI.
        originals: For each generated file, the files that its code comes from.
        is_flaky: Whether the test does not always fail.
        is_child: Whether the test runs in a pytest of its own, whose output is all that tells how it failed.
        message: The message as CI shows it, numbers and all; None where it is not at hand.
    """

    signature: Signature
    originals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_flaky: bool = False
    is_child: bool = False
    message: str | None = None

    def has_numbers_of(self, message: str) -> bool:
        """Whether the numbers of a message are those of the known one, as far as both are shown.

        A signature leaves them out, as many change from run to run; where they did not change, they tell a
        case that was taken out wrongly.
        """
        if self.message is None:
            return True
        return all(
            one == other for one, other in zip(_numbers(self.message), _numbers(message), strict=False)
        )

    def mapped(self, other: Signature) -> Signature:
        """Returns a signature that was made in a generated file as one of the file that its code is from."""
        files: list[str | None] = [
            original
            for generated, originals in self.originals.items()
            if other.file is not None and (other.file == generated or other.file.endswith(f"/{generated}"))
            for original in originals
        ]
        mapped = [
            replace(each, file=file) for each in self._renamed(other) for file in (files or [other.file])
        ]
        return min(mapped, key=lambda each: len(differences(self.signature, each)))

    def _renamed(self, other: Signature) -> Iterator[Signature]:
        """Yields a signature with the names that modules have in generated files, and with their own."""
        yield other
        for generated, originals in self.originals.items():
            stem = PurePosixPath(generated).stem
            module, shown_module = map(_module_pattern, (f"{stem}.", _as_in_message(stem)))
            for original in originals:
                parts = PurePosixPath(original).with_suffix("").parts
                for count in range(1, len(parts) + 1):
                    name = ".".join(parts[-count:])
                    yield replace(
                        other,
                        exception=_renamed(other.exception, module, f"{name}.") if other.exception else None,
                        message=_renamed(other.message, shown_module, _as_in_message(name)),
                    )

    def differences(self, other: Signature) -> tuple[str, ...]:
        """Names the fields in which a failure differs from the known one."""
        return differences(self.signature, self.mapped(other))


def _module_pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.]){re.escape(name)}(?=\w)")


def _renamed(text: str, module: re.Pattern[str], name: str) -> str:
    return module.sub(lambda _: name, text)


def _as_in_message(module: str) -> str:
    """Returns the beginning of a dotted name as a signature's message has it, where numbers do not stand."""
    return normalise_message(f"{module}.x").removesuffix("x")


def _numbers(message: str) -> list[str]:
    line = without_temporary(message.strip().partition("\n")[0])
    return _NUMBER.findall(_PLACE.sub("", line))


def read_known(folder: Path) -> Known | None:
    """Reads what a reproduction's folder has on record; None where it has no signature.

    Raises:
        ScaffoldError: The record cannot be read.
    """
    path = folder / SIGNATURE_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["signature"] is None:
            return None
        return Known(
            signature=signature_from_dict(data["signature"]),
            originals={file: tuple(files) for file, files in data.get("originals", {}).items()},
            is_flaky=bool(data.get("is_flaky", False)),
            is_child=data.get("form") in (None, "child"),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ScaffoldError(
            f"The signature on record cannot be read: {error}",
            place=str(path),
            next_step="Give a folder that repro-scaffold has made, or make it anew with --force.",
        ) from error
