"""The registered study: its parts of runs, and the questions that their records answer.

`protocol` says what was registered, `parts` runs and keeps it. `runs.Study` holds the records of all finished parts;
`estimands` reads off their curves where a target is reached and what it had cost, `resampling` bounds the numbers. On
these stand the questions, one file each, and `page` puts them in order. The study imports the experiment, never the
other way.

A question is a function from a `Study` to a `document.Section`:

- It answers in its first sentence, before any table. Its numbers, its tables, its sentence and its notes stand in one
  file, so that whoever asks otherwise changes that file alone.
- Its facts are what `--json` prints, under the names they have there: dataclasses and plain values, fractions rather
  than percent, infinity for what was never reached. The tables are made of the same values; nothing is computed twice.
- A part that was not run leaves it open: its section has no answer, and `study.missing(...)` names what to run.
- What is to be said below its tables whatever was found is a block in notes.md, by the name of the function.
- What is asked more than once, by other questions too, is a function of the study under `@once`. Such functions return
  None, or nothing, where their part is missing.
- Costs go by the two bills of `experiment.costs`, ARTICLE and EVERY_OPERATION; a miss costs infinity and is counted.
- Its pictures are named in the section and drawn in `figures`.

A new question is one file here and one line in `page.QUESTIONS`: the first page then has its answer, the second all.
"""

import sys

from .. import program

if __name__ in sys.orig_argv:  # python -m nnlite.study
    program.start()
