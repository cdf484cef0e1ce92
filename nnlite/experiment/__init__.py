"""The experiment: does pretraining on class-average images save training? `python -m nnlite.experiment --help`."""

import sys

from .. import program

if __name__ in sys.orig_argv:  # python -m nnlite.experiment
    program.start()
