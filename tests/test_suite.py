"""The suite: it is the same tests under the same names, in any order and in any number of processes."""

from __future__ import annotations


def test_no_id_holds_bytes_which_may_hold_the_clock(request):
    assert not [item.nodeid for item in request.session.items if "\\x1f\\x8b" in item.nodeid]
