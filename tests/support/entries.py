"""Any journal that there can be, for property tests."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from boothd.base.errors import Charged
from boothd.spool.journal import (
    Answered,
    Attempt,
    AttemptEnded,
    FellBack,
    Finished,
    Queued,
    Received,
    ReplyLost,
    Result,
    Retried,
    Shared,
    Undirected,
)

_at = st.floats(946_684_800, 4_102_444_800).map(lambda at: datetime.fromtimestamp(at, UTC))
_text = st.text(max_size=12)
_number = st.integers(1, 3)
_seconds = st.floats(0, 1e6)
_money = st.decimals(Decimal(0), Decimal(100), places=4)
_charged = st.sampled_from(Charged)
_role = st.sampled_from(["make", "direct", "render"])
_size = st.integers(0, 1 << 40)

arrivals = st.builds(
    Received,
    at=_at,
    room=_text,
    slot=_text,
    provider=_text,
    file=_text,
    name=_text,
    sha256=_text,
    size_bytes=_size,
    width=_size,
    height=_size,
    format=_text,
    orientation=st.integers(1, 8),
    form=st.lists(st.tuples(_text, _text), max_size=3).map(tuple),
    query=_text,
    receive_ms=_seconds,
    keep_failures=st.booleans(),
)
later_entries = st.one_of(
    st.builds(
        Attempt,
        at=_at,
        number=_number,
        provider=_text,
        model=_text,
        revision=_text,
        price=_money,
        paid=st.booleans(),
        role=_role,
        credit_provider=_text,
        credit_model=_text,
    ),
    st.builds(Queued, at=_at, number=_number, queue_number=_text),
    st.builds(
        AttemptEnded,
        at=_at,
        number=_number,
        provider=_text,
        model=_text,
        outcome=_text,
        message=_text,
        charged=_charged,
        cost=_money,
        seconds=_seconds,
        role=_role,
        credit_provider=_text,
        credit_model=_text,
    ),
    st.builds(Undirected, at=_at, provider=_text, code=_text, message=_text),
    st.builds(Shared, at=_at, job=_text, provider=_text, how=st.sampled_from(["exists", "on its way"])),
    st.builds(FellBack, at=_at, provider=_text, to=_text, code=_text, message=_text),
    st.builds(
        Result,
        at=_at,
        file=_text,
        sha256=_text,
        size_bytes=_size,
        format=_text,
        provider=_text,
        model=_text,
        revision=_text,
        wait_ms=_seconds,
        work_ms=_seconds,
        encode_ms=_seconds,
    ),
    st.builds(Answered, at=_at, status=st.sampled_from([200, 422, 504]), code=_text, message=_text, seconds=_seconds),
    st.builds(ReplyLost, at=_at),
    st.builds(Retried, at=_at),
    st.builds(Finished, at=_at, code=_text, reason=_text, charged=_charged, late=st.booleans()),
)
entries = st.one_of(arrivals, later_entries)
journals = st.tuples(arrivals, st.lists(later_entries, max_size=8)).map(lambda parts: [parts[0], *parts[1]])
