"""Pages that need no network: one file each, with its style, pictures and program inside.

`document` is the frame of every page, with `style.css`; `draw` puts a network and `draw.js` into it, to draw digits on;
`experiment` is the page of an experiment. The study's is made from its questions, in `nnlite.study.page`.
"""
