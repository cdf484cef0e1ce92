"""The experiment: does pretraining on class-average images save training? `python -m nnlite.experiment --help`."""
