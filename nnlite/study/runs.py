"""The records of the study, asked by part, configuration and arm; what was answered of them already; what they are.

Left out: how parts are run and kept (`parts`), what is asked (`estimands` and the questions).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..experiment.config import BASELINE, TREATMENT, DataError, RunConfig
from ..experiment.costs import agrees_at_stop
from ..experiment.exits import DATA, Exit
from ..experiment.records import RecordsError, RunRecord, paired, uncollected
from ..experiment.wording import several
from .document import Section
from .estimands import Curves, Pairs
from .parts import done_file, is_done, n_lacking, records_of, remove_leftover
from .protocol import by_configuration
from .second_protocol import ALL_PARTS

P = ParamSpec("P")
T = TypeVar("T")


class Study:
    """The records of finished parts, and the answers that were got from them.

    Parameters
    ----------
    parts : mapping of str to sequence of RunRecord
        A part's name to its records; none for a part that was not run.
    begun : mapping of str to str
        What there is of parts that are not finished, in words.
    """

    def __init__(
        self, parts: Mapping[str, Sequence[RunRecord]], begun: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.parts = {name: list(records) for name, records in parts.items() if records}
        self.begun = dict(begun)
        self.answers: dict[Hashable, Any] = {}
        self._sorted = {name: by_configuration(records) for name, records in self.parts.items()}

    @classmethod
    @uncollected()
    def read(cls, folder: str, tell: Callable[[str], None] = lambda text: None) -> Study:
        """Read a folder of parts; one that is unfinished, or lacks a run of the protocol, counts as not run.

        Parameters
        ----------
        folder : str
            As `python -m nnlite.study run` fills it.
        tell : function of a str
            Is given what is going on, for people who wait.

        Raises
        ------
        Exit
            A file that cannot be read, or no finished part.
        """
        of: dict[str, list[RunRecord]] = {}
        begun: dict[str, str] = {}

        def earlier(name: str) -> list[RunRecord]:
            if not of[name]:
                raise LookupError(name)
            return of[name]

        for number, part in enumerate(ALL_PARTS, 1):
            tell(f"reading part {number}/{len(ALL_PARTS)}, {part.name}")
            remove_leftover(folder, part.name)
            of[part.name] = []
            if is_done(folder, part.name):
                records = records_of(folder, part.name)
                lacks = n_lacking(done_file(folder, part.name), part, records, earlier)
                if not lacks:
                    of[part.name] = records
                else:
                    begun[part.name] = f"{lacks} runs are lacking"
            elif what := _what_there_is(folder, part.name):
                begun[part.name] = what
        if not any(of.values()):
            raise Exit(f"{folder}: holds no finished part of the study; python -m nnlite.study run makes them", DATA)
        tell(f"comparing {sum(map(len, of.values())):,} runs")
        return cls(of, begun)

    @property
    def records(self) -> list[RunRecord]:
        """All records of all parts."""
        return [record for records in self.parts.values() for record in records]

    def runs(self, part: str, arm: str, config: RunConfig | None = None) -> list[RunRecord]:
        """Return an arm's runs of a part that were carried out, by seed; none if the part was not run.

        Parameters
        ----------
        part, arm : str
        config : RunConfig, optional
            Of the runs; may be left out where an arm has one alone in this part.

        Raises
        ------
        ValueError
            They are of several configurations, or a seed stands there twice.
        """
        found = [
            runs for (of, name), runs in self._sorted.get(part, {}).items() if name == arm and config in (None, of)
        ]
        if len(found) > 1:
            raise ValueError(f"{part}, {arm}: expected records of one configuration, found several")
        runs = found[0] if found else []
        if len({run.seed for run in runs}) < len(runs):
            raise ValueError(f"{part}, {arm}: a seed stands there twice")
        return runs

    def by_configuration(self, part: str) -> dict[tuple[RunConfig, str], list[RunRecord]]:
        """Return a part's runs by configuration and arm, by seed within."""
        return self._sorted.get(part, {})

    def has(self, *parts: str) -> bool:
        """Return whether all of these parts are finished."""
        return self.parts.keys() >= set(parts)

    def missing(self, *parts: str) -> list[str]:
        """Name those of the parts that were not finished, in a sentence; empty if all were."""
        lacking = [part for part in parts if part not in self.parts]
        if not lacking:
            return []
        commands = "run PART" if len(lacking) > 1 else f"run {lacking[0]}"
        which = f"part{'s' if len(lacking) > 1 else ''} {several(lacking)}"
        return [f"Not finished: {which} (python -m nnlite.study {commands})."]


Ask = Callable[[Study], Section]
"""A question: records in, one section out."""


def _what_there_is(folder: str, name: str) -> str:
    """Say what there is of a part that is not finished; empty where it was not begun. It hides no finished one."""
    left_out: list[str] = []
    try:
        n_kept = len(records_of(folder, name, left_out.append))
    except (DataError, RecordsError) as error:
        return f"nothing can be read: {error}"
    if not n_kept and not left_out:
        return ""
    return "; ".join([f"{n_kept} runs are kept", *(f"left out: {what}" for what in left_out)])


def once(
    question: Callable[Concatenate[Study, P], T],
) -> Callable[Concatenate[Study, P], T]:
    """Remember with a study what it was asked, so that every question may ask again what another one asked."""

    @wraps(question)
    def remembered(study: Study, /, *about: P.args, **named: P.kwargs) -> T:
        key = question, about, tuple(named.items())
        if key not in study.answers:
            study.answers[key] = question(study, *about, **named)
        answer: T = study.answers[key]
        return answer

    return remembered


def question(title: str, needs: Sequence[str] = (), also: Sequence[str] = ()) -> Callable[[Ask], Ask]:
    """Give a question its title, and ask it only when the parts that it needs are finished.

    Parameters
    ----------
    title : str
    needs : sequence of str
        Parts without which there is no answer.
    also : sequence of str
        Parts that say more; those that are missing are named below the answer.
    """

    def titled(ask: Ask) -> Ask:
        @wraps(ask)
        def asked(study: Study) -> Section:
            section = ask(study) if study.has(*needs) else Section()
            return replace(section, title=title, lacking=study.missing(*needs, *also))

        return asked

    return titled


@once
def both_arms(study: Study, part: str, config: RunConfig | None = None) -> Pairs | None:
    """Watch class-means and scratch over the seeds that both have in a part; None where there is no pair."""
    treated, scratch = paired(*(study.runs(part, arm, config) for arm in (TREATMENT, BASELINE)))
    return (Curves(treated), Curves(scratch)) if treated else None


def pairs_of(study: Study, part: str, config: RunConfig | None = None) -> Pairs:
    """Watch both arms as `both_arms` does; ValueError where there is no pair."""
    arms = both_arms(study, part, config)
    if arms is None:
        raise ValueError(f"{part}: no pair of runs of class-means and scratch")
    return arms


@question("What was run")
def what_was_run(study: Study) -> Section:
    """QUESTION: what does the report rest on, and what does it lack? Parts, machines, versions; checked formulas."""
    records, done = study.records, list(study.parts)
    lacking = [part.name for part in ALL_PARTS if part.name not in study.parts]
    n_disagreeing = sum(not agrees_at_stop(record) for record in records)
    machines = sorted({_machine(record) for record in records})
    versions: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.versions.items():
            versions.setdefault(name, set()).add(version)
    programs = {name: ", ".join(sorted(found)) for name, found in versions.items()}
    answer = [f"{len(done)} of {len(ALL_PARTS)} parts are finished, {len(records):,} runs in all."]
    if done:
        answer.append(f"Finished: {', '.join(done)}.")
    if lacking:
        answer.append(f"Not finished, so open above: {', '.join(lacking)}.")
    answer += [f"Begun: {name}, of which {what}." for name, what in study.begun.items()]
    if records:
        where = f"all but {n_disagreeing} runs" if n_disagreeing else "every run"
        answer.append(f"Costs by formula and costs counted by the kernels agree in {where}.")
        answer.append(f"Machine: {'; '.join(machines)}.")
        answer.append(f"Versions: {', '.join(f'{name} {version}' for name, version in programs.items())}.")
    facts = {
        "parts_done": done,
        "parts_missing": lacking,
        "n_runs": len(records),
        "n_disagreeing": n_disagreeing,
        "machines": machines,
        "versions": programs,
    }
    return Section(answer, facts=facts)


def _machine(record: RunRecord) -> str:
    machine = record.machine
    return f"{machine.get('cores')} cores of {machine.get('processor')}, {machine.get('system')}"
