"""Short programs that teach: run one, read from top to bottom what it prints, answer its exercises, read its source.

python -m nnlite.lessons.bytes      an IDX file taken apart by hand; a digit and the ten averages drawn
python -m nnlite.lessons.counting   the operations of a 2-3-2 network counted three ways, with one result
python -m nnlite.lessons.forward    from one neuron to the loss of a batch, line by line
python -m nnlite.lessons.backward   every gradient by hand, the check that finds a mistake in it, the step it is for
python -m nnlite.lessons.claim      a published saving taken apart: its numbers worked backwards, its runs repeated
python -m nnlite.lessons.verdict    from pairs of runs to one word: a sorted column, an interval, a rule, a control
"""

import sys

from nnlite import program

if any(word.startswith(f"{__name__}.") for word in sys.orig_argv):  # python -m nnlite.lessons.NAME
    program.start()
