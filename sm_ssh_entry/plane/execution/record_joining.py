"""Batch transform's DataProcessing: what of a record the model gets, and what of input and output is kept. Pure.

CSV and JSON only, as on the service: the model's answers have to be of the input's format.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sm_ssh_entry.plane.execution import json_path

INPUT, OUTPUT = "SageMakerInput", "SageMakerOutput"
_CSV = ("text/csv",)
_JSON_LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonlines+json", "application/x-ndjson")
_JSON = ("application/json", *_JSON_LINES)


class CannotJoin(Exception):
    """What DataProcessing asks for cannot be done to these data; the text says why."""


@dataclass(frozen=True)
class Joining:
    """What DataProcessing asks for.

    Args:
        given: what of each record the model gets.
        kept: what of each joined record is written.
        joined: whether input and output are joined.
        form: ``csv``, ``json`` (an object is one value) or ``lines`` (of JSON); ``""``: nothing is asked for.
    """

    given: json_path.Path = field(default_factory=json_path.Path)
    kept: json_path.Path = field(default_factory=json_path.Path)
    joined: bool = False
    form: str = ""

    def for_model(self, record: bytes) -> bytes:
        """Return what the model gets of a record, or of an object that is not split.

        Args:
            record: what was read; its end of line is part of it.

        Raises:
            CannotJoin: the record is not of its format, or has nothing where the filter points.
        """
        if not self.form or self.given.everything:
            return record
        found = self._written([self._filtered(self.given, one) for one in self._read(record)])
        return found + b"\n" if record.endswith(b"\n") and not found.endswith(b"\n") else found

    def to_keep(self, records: Sequence[bytes], answer: bytes) -> bytes:
        """Return what is written of the model's answer to some records.

        Args:
            records: the records as they were read.
            answer: the answer to all of them.

        Raises:
            CannotJoin: input and output do not match, or have nothing where the filter points.
        """
        if not self.form or (self.kept.everything and not self.joined):
            return answer
        if not self.joined:
            return self._written([self._filtered(self.kept, one) for one in self._read(answer)])
        given = [one for record in records for one in self._read(record)]
        made = self._answers(answer, len(given))
        both = [self._joined(*pair) for pair in zip(given, made, strict=True)]
        return self._written([self._filtered(self.kept, one) for one in both])

    def _joined(self, given: Any, made: Any) -> Any:
        if self.form == "csv":
            return [*given, *made]
        return {**given, OUTPUT: made} if isinstance(given, dict) else {INPUT: given, OUTPUT: made}

    def _answers(self, answer: bytes, wanted: int) -> list[Any]:
        if self.form != "csv" and wanted == 1:
            return [_json(answer)]
        try:
            found = self._read(answer, lines=True)
        except CannotJoin:
            found = []
        if len(found) != wanted and self.form != "csv":
            whole = _json(answer)
            found = whole if isinstance(whole, list) else [whole]
        if len(found) != wanted:
            # The service's own words.
            raise CannotJoin(
                f"Fail to join data: mismatched line count between the input and the output ({wanted}, {len(found)})"
            )
        return found

    def _read(self, data: bytes, *, lines: bool = False) -> list[Any]:
        if self.form == "csv":
            try:
                return [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
            except (UnicodeDecodeError, csv.Error) as error:
                raise CannotJoin(f"it cannot be read as CSV: {error}") from error
        if self.form == "json" and not lines:
            return [_json(data)]
        return [_json(line) for line in data.splitlines() if line.strip()]

    def _filtered(self, path: json_path.Path, value: Any) -> Any:
        try:
            return path.of(value)
        except json_path.NoSuchPlace as error:
            raise CannotJoin(str(error)) from error

    def _written(self, values: Sequence[Any]) -> bytes:
        if self.form == "csv":
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows(one if isinstance(one, list) else [one] for one in values)
            return text.getvalue().encode()
        # One value that is no line need not end like one.
        end = "" if self.form == "json" and len(values) == 1 else "\n"
        return ("\n".join(json.dumps(one, ensure_ascii=False) for one in values) + end).encode()


def of_request(processing: Mapping[str, Any], *, content_type: str, accept: str) -> Joining:
    """Return what a request's DataProcessing asks for.

    Args:
        processing: the member; empty: nothing.
        content_type: TransformInput's ContentType.
        accept: TransformOutput's Accept.

    Raises:
        CannotJoin: a filter cannot be read, or the formats are not CSV or JSON, or differ.
    """
    try:
        given = json_path.parse(processing.get("InputFilter", "$"))
        kept = json_path.parse(processing.get("OutputFilter", "$"))
    except json_path.NotAPath as error:
        raise CannotJoin(str(error)) from error
    joined = processing.get("JoinSource", "None") == "Input"
    if given.everything and kept.everything and not joined:
        return Joining()
    form = _form(content_type)
    if not form:
        raise CannotJoin(f"DataProcessing needs ContentType {', '.join((*_CSV, *_JSON[:2]))}, not {content_type!r}")
    if joined and accept and (_form(accept) == "csv") != (form == "csv"):
        raise CannotJoin(f"to join, Accept {accept!r} has to be of the same format as ContentType {content_type!r}")
    return Joining(given, kept, joined, form)


def _form(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _CSV:
        return "csv"
    return "lines" if kind in _JSON_LINES else "json" if kind in _JSON else ""


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise CannotJoin("it cannot be read as JSON") from error
