"""Short programs that teach: run one, read from top to bottom what it prints, answer its exercises, read its source.

python -m nnlite.lessons.bytes      an IDX file taken apart by hand; a digit and the ten averages drawn
python -m nnlite.lessons.counting   the operations of a 2-3-2 network counted three ways, with one result
"""
