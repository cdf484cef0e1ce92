"""Digits of one's own: from a photo or a drawing to ten probabilities.

Follow an image: `pictures` (a file becomes greys) -> `prepare` (greys become 28 x 28 bytes, as MNIST has them) ->
`likeness` (does it look like any digit of the training set?) -> `show` (characters on a terminal). `network` trains
who answers, by a seed; `train` and `predict` are the commands of `nnlite`. The page to draw on does the same in
JavaScript, to the bit.
"""
