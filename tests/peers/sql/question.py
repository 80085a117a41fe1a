"""A question in both dialects."""

import re

MARK = re.compile("«([^¦»]*)¦([^»]*)»")


class Question:
    """A question. Where the dialects differ, the text holds both, as `«PostgreSQL¦DuckDB»`.

    `ordered`: the order of the rows is asked for, and one alone is right. `refusable`: that the server refuses it is no fault.
    `tolerance`: by how much numbers may differ. A deviation over a frame that slides is reckoned with rounding errors.
    """

    def __init__(self, kind, text, ordered=False, refusable=False, tolerance=1e-9):
        self.kind, self.ordered, self.refusable = kind, ordered, refusable
        self.tolerance = tolerance
        self.server, self.duckdb = MARK.sub(r"\1", text), MARK.sub(r"\2", text)
