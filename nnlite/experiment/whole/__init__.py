"""The whole study: its protocol, its parts in a folder, what their records say, text, page and figures.

`protocol` says what is run, `carry_out` and `parts` run and keep it, `find` turns records into `findings` by `cells`,
`explanations`, `searches` and `horizons`; `report`, `page` and `figures` show them.
"""
