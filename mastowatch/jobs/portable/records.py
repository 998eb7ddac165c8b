"""The lines of an export: a header, a record a line, and a trailer that tells whether all of it is there.

docs/reference/export-format.md says the same for people; a test compares. All times are epoch seconds.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mastowatch.ports.types import ActionState, AuditEvent, CaseOutcome, ClaimState, DroppedBy, Measure

FORMAT = 1
LINE_MAX = 8 * 1024 * 1024  # bytes: a list of 512 kB in which each character is escaped, and some room
Part = Literal["rules", "cases", "audit"]
PARTS: tuple[Part, ...] = get_args(Part)

_TIME_MAX = 253_402_300_799.0  # the end of the year 9999
_SKETCH_MAX = 32 * 1024
_NAME_MAX = 200  # bytes: file systems take 255, and it is written under a longer name first


def _sketch(given: str) -> str:
    """Pass what may be a HyperLogLog of Redis."""
    if given:
        try:
            raw = b64decode(given, validate=True)
        except ValueError as error:
            raise ValueError("is not base64") from error
        if not raw.startswith(b"HYLL"):
            raise ValueError("is no HyperLogLog of Redis")
    return given


def _of_bytes(most: int) -> Callable[[str], str]:
    """Pass a text that has ``most`` bytes in a file, as whoever reads the file counts them."""

    def check(given: str) -> str:
        if len(given.encode()) > most:
            raise ValueError(f"must be {most} bytes at most")
        return given

    return check


def _file_name(given: str) -> str:
    """Pass what a directory can hold, and a person see."""
    if len(given.encode()) > _NAME_MAX or not given.isprintable():
        raise ValueError(f"must be {_NAME_MAX} bytes of printable characters at most")
    return given


Id = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,19})$")]
NoId = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,19})?$")]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
RuleOrAll = Annotated[str, Field(pattern=r"^(\*|[a-z0-9][a-z0-9-]{0,63})$")]
Time = Annotated[float, Field(ge=0, le=_TIME_MAX)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Number = Annotated[float, Field(ge=-1e15, le=1e15)]
Short = Annotated[str, Field(max_length=1000)]
Text = Annotated[str, Field(max_length=20_000)]
Sketch = Annotated[str, Field(max_length=_SKETCH_MAX), AfterValidator(_sketch)]
FileName = Annotated[str, Field(pattern=r"^[^./#\x00-\x1f][^/\x00-\x1f]{0,199}$"), AfterValidator(_file_name)]
Marker = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
NoMarker = Annotated[str, Field(pattern=r"^([0-9a-f]{8})?$")]
Ids = Annotated[list[Id], Field(max_length=1000)]
Rules = Annotated[list[RuleId], Field(max_length=1000)]
# As the audit reads them: one that is larger would be there, and never be seen.
Weight = Annotated[float, Field(gt=-1e9, lt=1e9)]
Weights = Annotated[dict[RuleId, Weight], Field(max_length=10_000)]
Words = Annotated[list[Annotated[str, Field(pattern=r"^[a-z]{1,20}$")]], Field(max_length=10)]


class Line(BaseModel):
    """What all lines have in common. ``part`` is what has to be asked for to get it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: ClassVar[Part | None] = None


class Header(Line):
    """The first line: who has written this, when, and what is in it."""

    kind: Literal["header"] = "header"
    format: Annotated[int, Field(ge=1)] = FORMAT
    mastowatch: Short
    made_at: Time
    layout: Annotated[int, Field(ge=1)]
    instance: Short
    what: list[Part]
    since: Time = 0.0


class ClaimLine(Line):
    """How far the report on an account got: what keeps it from being filed twice."""

    part: ClassVar[Part] = "cases"
    kind: Literal["claim"] = "claim"
    account_id: Id
    marker: Marker
    state: ClaimState
    changed_at: Time
    owner: Short = ""
    report_id: NoId = ""
    reason: Text = ""
    generation: Count = 1
    rules: Rules = []
    reported_at: Time = 0.0


class ReportLine(Line):
    """A report that was filed, and what moderators made of it."""

    part: ClassVar[Part] = "cases"
    kind: Literal["report"] = "report"
    report_id: Id
    account_id: Id
    rules: Rules
    filed_at: Time
    outcome: Literal["open", "kept", "rejected", "unknown"]
    decided_at: Time = 0.0
    status_id: NoId = ""
    before: Words = []


class MeasureLine(Line):
    """A measure against an account, in force or ended."""

    part: ClassVar[Part] = "cases"
    kind: Literal["measure"] = "measure"
    account_id: Id
    measure: Measure
    rule_id: RuleId
    report_id: Id
    state: ActionState
    changed_at: Time
    expires_at: Time
    others: Words = []
    reopen: Ids = []
    why: Text = ""


class ReasonLine(BaseModel):
    """A rule that hit, within a case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule_id: RuleId
    rule_name: Short
    weight: Number
    shadow: bool
    evidence: Text
    past: bool = False


class CaseLine(Line):
    """The latest verdict on an account."""

    part: ClassVar[Part] = "cases"
    kind: Literal["case"] = "case"
    account_id: Id
    acct: Short
    url: Text
    level: Literal["none", "watch", "report"]
    score: Number
    shadow_score: Number
    outcome: CaseOutcome
    why: Text
    judged_at: Time
    reasons: Annotated[list[ReasonLine], Field(max_length=10_000)] = []
    report_id: NoId = ""
    marker: NoMarker = ""
    status_ids: Ids = []
    generation: Count = 0
    reported: Rules = []
    later: Rules = []
    resolved: bool = False


class RuleFileLine(Line):
    """A file of RULES_DIR, as it is written."""

    part: ClassVar[Part] = "rules"
    kind: Literal["rule_file"] = "rule_file"
    name: Annotated[str, Field(pattern=r"^[^./#\x00-\x1f][^/\x00-\x1f]{0,199}\.toml$"), AfterValidator(_file_name)]
    text: Annotated[str, AfterValidator(_of_bytes(64 * 1024))]


class RuleListLine(Line):
    """A file of RULES_DIR/lists, as it is written."""

    part: ClassVar[Part] = "rules"
    kind: Literal["rule_list"] = "rule_list"
    name: FileName
    text: Annotated[str, AfterValidator(_of_bytes(512 * 1024))]


class RuleRecordLine(Line):
    """What a rule has done so far. The sketches are the accounts that it hit, as Redis counts them."""

    part: ClassVar[Part] = "rules"
    kind: Literal["rule_record"] = "rule_record"
    rule_id: RuleId
    reports: Count = 0
    kept: Count = 0
    rejected: Count = 0
    last_hit_at: Time = 0.0
    since: Time = 0.0
    kept_since: Count = 0
    rejected_since: Count = 0
    hits: Sketch = ""
    shadow_hits: Sketch = ""


class RuleRearmedLine(Line):
    """When a person last re-armed a rule."""

    part: ClassVar[Part] = "rules"
    kind: Literal["rule_rearmed"] = "rule_rearmed"
    rule_id: RuleOrAll
    at: Time


class RuleDroppedLine(Line):
    """A rule that was dropped to shadow; "*": all reporting is paused."""

    part: ClassVar[Part] = "rules"
    kind: Literal["rule_dropped"] = "rule_dropped"
    rule_id: RuleOrAll
    why: Short
    by: DroppedBy
    at: Time
    told: bool = False


class AuditLine(Line):
    """A decision, or something that a person did. ``place`` is where it stands in the stream."""

    part: ClassVar[Part] = "audit"
    kind: Literal["audit"] = "audit"
    place: Annotated[str, Field(pattern=r"^[0-9]{1,16}-[0-9]{1,16}$")]
    at: Time
    event: AuditEvent
    outcome: Short
    why: Text
    account_id: NoId = ""
    acct: Short = ""
    level: Short = ""
    score: Number = 0.0
    shadow_score: Number = 0.0
    rules: Weights | dict[Literal["*"], Weight] = {}
    shadow_rules: Weights = {}
    report_id: NoId = ""
    by: Short = ""


class Trailer(Line):
    """The last line: without it, or with another sum, the file is cut or changed."""

    kind: Literal["end"] = "end"
    counts: dict[str, Count]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


# By kind, in the order in which they are written: first what keeps reports from being filed twice.
LINES: Mapping[str, type[Line]] = {
    str(line.model_fields["kind"].default): line
    for line in (
        ClaimLine,
        ReportLine,
        MeasureLine,
        CaseLine,
        RuleRecordLine,
        RuleRearmedLine,
        RuleDroppedLine,
        RuleFileLine,
        RuleListLine,
        AuditLine,
    )
}
# What tells nothing of a server.
OF_ANY_SERVER = ("rule_file", "rule_list")


def document(line: Line) -> dict[str, Any]:
    """Return the line's fields without its kind."""
    return line.model_dump(exclude={"kind"})
