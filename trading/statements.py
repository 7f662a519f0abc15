"""What a message writes and asks on its way in, each step as one statement.

Every message passes here. What belongs together goes to the database in one piece, because a round trip and a run
through the ORM each cost more than what is written. Names are put together from our own models; values never are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connections
from django.db.models import Model

from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.decisions import Code
from trading.models import EventKind, RawSignal, RawState, Signal, SignalState, Source, SourceSecret

Row = TypeVar("Row", bound=Model)


def _columns(model: type[Model], alias: str = "") -> list[str]:
    return [f"{alias}{field.column}" for field in model._meta.concrete_fields]


def values_of(row: RawSignal | Signal) -> dict[str, Any]:
    """Give the values of a row as the database takes them, by model and column."""
    connection, name = connections[scopes.ENGINE], row._meta.model_name
    return {
        f"{name}_{field.column}": field.get_db_prep_save(getattr(row, field.attname), connection)
        for field in row._meta.concrete_fields
    }


def row_of(model: type[Row], values: Sequence[Any]) -> Row:
    """Make a row of the values of its columns, as it would have been fetched."""
    connection = connections[scopes.ENGINE]
    made = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(model._meta.concrete_fields, values, strict=True)
    ]
    return model.from_db(scopes.ENGINE, [field.attname for field in model._meta.concrete_fields], made)


def _insert(model: type[RawSignal] | type[Signal], where: str) -> str:
    columns = _columns(model)
    values = ", ".join(f"%({model._meta.model_name}_{column})s" for column in columns)
    return f"insert into {model._meta.db_table} ({', '.join(columns)}) select {values} {where} returning id"


def _event(values: str, source: str) -> str:
    return (
        "insert into trading_signalevent (organization_id, raw_id, signal_id, kind, verdict, code, sentence, evidence,"
        f" at) select {values} from {source}"
    )


_RECEIVED = _event(
    "%(rawsignal_organization_id)s, id, null, 'received', '', '', '',"
    " jsonb_build_object('bytes', %(rawsignal_size)s), %(at)s",
    "kept",
)
KEEP = f"with kept as ({_insert(RawSignal, '')}) {_RECEIVED} returning id"
# Whoever comes when there is no room writes nothing, and neither does whoever brings a used nonce: he takes nothing of
# what the source may send. Then the source's minute counts and its owner's, in this order whoever comes, so that nobody
# waits for one who waits for him.
ADMIT = f"""
with room as (
    select coalesce(max(accepted) filter (where source_id = %(rawsignal_source_id)s), 0) < %(per_minute)s as of_source,
        coalesce(max(accepted) filter (where source_id = %(everywhere)s::uuid), 0) < %(of_all)s as of_all
    from trading_sourceminute where organization_id = %(rawsignal_organization_id)s and minute = %(minute)s
        and source_id in (%(rawsignal_source_id)s, %(everywhere)s::uuid)
), fresh as (
    insert into trading_sourcenonce (organization_id, source_id, nonce, expires_at)
    select %(rawsignal_organization_id)s, %(rawsignal_source_id)s, %(nonce)s::text, %(nonce_until)s
    from room where of_source and of_all and %(nonce)s::text <> '' on conflict do nothing returning 1
), let_in as (
    insert into trading_sourceminute as m (organization_id, source_id, minute, accepted, refused, refusals)
    select %(rawsignal_organization_id)s, counted.id, %(minute)s, 1, 0, '{{}}'
    from room, (values (%(rawsignal_source_id)s), (%(everywhere)s::uuid)) as counted (id)
    where of_source and of_all and (%(nonce)s::text = '' or exists (select from fresh))
    on conflict (organization_id, source_id, minute) do update set accepted = m.accepted + 1
    where m.accepted < case m.source_id when %(everywhere)s::uuid then %(of_all)s else %(per_minute)s end
    returning source_id
), kept as (
    {_insert(RawSignal, "where (select count(*) from let_in) = 2")}
), told as (
    {_RECEIVED}
)
select of_source, of_all, %(nonce)s::text = '' or exists (select from fresh),
    exists (select from let_in where source_id = %(rawsignal_source_id)s), exists (select from kept)
from room
"""
# A source that signs, once for each secret that counts now; of one without, no secret.
SIGNER = f"""
select {", ".join([*_columns(Source, "s."), *_columns(SourceSecret, "k.")])}
from trading_source s left join trading_sourcesecret k
    on k.organization_id = s.organization_id and k.source_id = s.id and k.sealed is not null
    and (k.ends_at is null or k.ends_at > %(now)s)
where s.id = %(source)s and s.kind = %(kind)s
"""
# The latest signal that a message repeats: by its key, by its key within a time, by the Idempotency-Key it came with.
# All that have the key are found first: with "the latest" in sight, PostgreSQL reads an owner's signals from the newest
# backwards in search of a key that, as a rule, none of them has.
_KNOWN_BY_KEY = (
    "select id, draft::text as draft, received_at from trading_signal"
    " where organization_id = %(organization)s and source_id = %(source)s and dedupe_key = %(key)s"
)
_LATEST = "select id, draft from known order by received_at desc limit 1"
TWIN = f"with known as materialized ({_KNOWN_BY_KEY}) {_LATEST}"
TWIN_NEAR = (
    f"with known as materialized ({_KNOWN_BY_KEY} and received_at > %(after)s and received_at < %(before)s) {_LATEST}"
)
TWIN_OF_REQUEST = (
    "with came as materialized (select s.id, s.draft::text as draft, r.received_at from trading_rawsignal r"
    " join trading_signal s on s.organization_id = r.organization_id and s.id = r.signal_id"
    " where r.organization_id = %(organization)s and r.source_id = %(source)s and r.headers ? 'idempotency-key'"
    " and r.headers ->> 'idempotency-key' = %(request)s"
    f" and r.state in ('{RawState.READ.value}', '{RawState.DUPLICATE.value}')),"
    f" known as materialized ({_KNOWN_BY_KEY})"
    " select id, draft from ((select id, draft, 0 as turn from came order by received_at limit 1)"
    " union all (select id, draft, 1 from known order by received_at desc limit 1)) as found order by turn limit 1"
)
_MOVED = (
    "update trading_rawsignal set state = %(state)s, code = %(code)s, sentence = %(sentence)s, signal_id = %(signal)s"
    " where organization_id = %(organization)s and id = %(raw)s and state = 'received' returning id"
)
_TOLD = (
    _event("%(organization)s, id, %(signal)s, %(kind)s, '', %(code)s, %(sentence)s, %(evidence)s, %(at)s", "moved")
    + " returning id"
)
MOVE_ON = f"with moved as ({_MOVED}) {_TOLD}"
MOVE_ON_NEW = f"with moved as ({_MOVED}), made as ({_insert(Signal, 'from moved')}) {_TOLD}"


def _take_up(model: type[RawSignal] | type[Signal], state: str) -> str:
    """Count one more try of rows that stand still; leave those that somebody holds, or has tried since."""
    table = model._meta.db_table
    return (
        f"with free as (select id from {table} where organization_id = %(organization)s and id = any(%(ids)s)"
        f" and state = '{state}' and (tried_at is null or tried_at <= %(again_since)s) for update skip locked"
        f"), taken as (update {table} as t set attempts = t.attempts + 1, tried_at = %(at)s from free"
        " where t.organization_id = %(organization)s and t.id = free.id returning t.id, t.attempts)"
    )


_MOVED_ON = _event(
    f"%(organization)s, id, null, '{EventKind.MOVED_ON.value}', '', '', '',"
    " jsonb_build_object('attempt', attempts), %(at)s",
    "taken",
)
TAKE_UP: dict[type[RawSignal] | type[Signal], str] = {
    RawSignal: f"{_take_up(RawSignal, RawState.RECEIVED.value)}, told as ({_MOVED_ON}) select id, attempts from taken",
    Signal: f"{_take_up(Signal, SignalState.WAITING.value)} select id, attempts from taken",
}


def _standing(model: type[RawSignal] | type[Signal], state: str) -> str:
    """List what waits and was not taken up just now: the oldest of each owner, then the second of each, and so on."""
    return f"""
select organization_id, id, received_at, attempts from (
    select organization_id, id, received_at, attempts,
           row_number() over (partition by organization_id order by received_at, id) as turn
    from {model._meta.db_table}
    where state = '{state}' and (tried_at is null or tried_at <= %(again_since)s)
        and (%(before)s::timestamptz is null or received_at <= %(before)s)
        and (%(among)s::uuid[] is null or organization_id = any(%(among)s)) and id <> all(%(seen)s::uuid[])
) standing order by turn, received_at, id limit %(limit)s
"""


STANDING: dict[type[RawSignal] | type[Signal], str] = {
    RawSignal: _standing(RawSignal, RawState.RECEIVED.value),
    Signal: _standing(Signal, SignalState.WAITING.value),
}
# Signals that were taken and not fanned out: the oldest of each owner first; whoever has least waiting goes first.
TO_FAN_OUT = f"""
select organization_id, id from (
    select organization_id, id, received_at,
           row_number() over (partition by organization_id order by received_at, id) as turn,
           count(*) over (partition by organization_id) as waiting
    from trading_signal
    where state = '{SignalState.VALID.value}' and fanned_at is null
        and (%(among)s::uuid[] is null or organization_id = any(%(among)s))
) taken order by turn, waiting, received_at, id limit %(limit)s
"""
_JUDGED_NEXT = (
    f"select {', '.join(_columns(Signal))} from trading_signal"
    f" where organization_id = %s and id = any(%s) and state = '{SignalState.WAITING.value}' order by id for update"
)
TO_JUDGE, TO_JUDGE_IF_FREE = _JUDGED_NEXT, f"{_JUDGED_NEXT} skip locked"
SOURCES = f"select {', '.join(_columns(Source))} from trading_source where id = any(%s) order by id"
# Who listens to which of these names: an organization's own strategies and the platform's.
LISTENERS = """
select asked.name, s.id from unnest(%s::text[]) as asked (name)
join trading_strategy s
    on s.organization_id = any(%s) and s.retired_at is null and s.parameters -> 'signals' ? asked.name
order by s.id
"""

# What strategies took lately for a symbol. An event is written after its signal came, so one bound serves both.
TAKEN = (
    "select s.symbol, e.strategy_id, max(s.received_at) from trading_signalevent e"
    " join trading_signal s on s.organization_id = e.organization_id and s.id = e.signal_id"
    f" where e.organization_id = %s and e.kind = '{EventKind.JUDGED.value}' and e.code = '{Code.VALID.value}'"
    " and e.at > %s and s.symbol = any(%s) and s.received_at > %s and s.action = any(%s)"
    " group by s.symbol, e.strategy_id"
)

# What was thought of several signals of one owner, and what became of them; both as JSON, so that it is one statement.
JUDGED = """
with told as (
    insert into trading_signalevent
        (organization_id, raw_id, signal_id, strategy_id, kind, verdict, code, sentence, evidence, facts, at)
    select %(organization)s, raw, signal, strategy, %(kind)s, verdict, code, sentence, evidence, facts, %(at)s
    from jsonb_to_recordset(%(judgements)s) as thought (
        raw uuid, signal uuid, strategy uuid, verdict text, code text, sentence text, evidence jsonb, facts jsonb)
)
update trading_signal set state = new.state, code = new.code, sentence = new.sentence, judged_at = %(at)s
from jsonb_to_recordset(%(signals)s) as new (id uuid, state text, code text, sentence text)
where trading_signal.organization_id = %(organization)s and trading_signal.id = new.id
"""

# The followers of those who took a signal, in shards of one venue each; `whose` is null for a signal of the platform.
FAN_OUT = """
insert into trading_shard
    (id, organization_id, signal_id, strategy_id, venue, number, accounts, created_at, attempts)
select gen_random_uuid(), %(owner)s, %(signal)s, strategy_id, venue, number,
       array_agg(account_id order by organization_id, account_id), %(now)s, 0
from (
    select f.organization_id, f.strategy_id, f.account_id, a.venue, (row_number() over (
        partition by f.strategy_id, a.venue order by f.organization_id, f.account_id) - 1) / %(size)s::int as number
    from trading_follow f
    join accounts_tradingaccount a on a.organization_id = f.organization_id and a.id = f.account_id
    where f.strategy_id = any(%(takers)s::uuid[]) and a.status <> 'closed'
        and (%(whose)s::uuid is null or f.organization_id = %(whose)s::uuid)
) following
group by strategy_id, venue, number
on conflict (organization_id, signal_id, strategy_id, venue, number) do nothing
"""

# Orders for the accounts of a shard that take its signal. Who has one of that name already is not in the answer.
PLAN_ORDERS = """
insert into trading_order
    (id, organization_id, account_id, client_id, purpose, signal_id, receipt_id, strategy_id, symbol, venue_symbol,
     side, type, quantity, "limit", stop, stop_loss, take_profit, risk, state, decided_at, expires_at,
     time_in_force, reduces_only, venue_position, cause_code, cause, reason_code, reason, venue_order_id, revision,
     filled)
select id, organization_id, account_id, client_id, %(purpose)s, %(signal)s, receipt_id, %(strategy)s, %(symbol)s,
       %(venue_symbol)s, %(side)s, %(type)s, quantity, %(limit)s::numeric, %(stop)s::numeric, %(stop_loss)s::numeric,
       %(take_profit)s::numeric, risk, %(state)s, %(now)s, %(expires)s, 'gtc', false, '', '', '', '', '', '', 0, 0
from unnest(%(ids)s::uuid[], %(organizations)s::uuid[], %(accounts)s::uuid[], %(client_ids)s::text[],
            %(receipts)s::uuid[], %(quantities)s::numeric[], %(risks)s::numeric[])
    as taking (id, organization_id, account_id, client_id, receipt_id, quantity, risk)
on conflict (organization_id, client_id) do nothing
returning organization_id, account_id, id
"""

# What must not be sent any more: too old by now, or switched off since it was planned. Exits are never among them.
WITHDRAW = """
update trading_order o set state = 'withdrawn', reason_code = found.code, reason = found.reason
from (
    select o.organization_id, o.id,
           case when o.expires_at <= %(now)s then 'too_old' else 'switched_off' end as code,
           case when o.expires_at <= %(now)s then 'It was too old to be sent.' else coalesce(s.reason, '') end as reason
    from trading_order o
    left join lateral (
        select reason from risk_management_switch s
        where s.lifted_at is null and (s.until is null or s.until > %(now)s) and (
            s.organization_id = o.organization_id and (s.level = 'organization'
                or s.level = 'account' and s.account_id = o.account_id
                or s.level = 'strategy' and s.strategy_id = o.strategy_id)
            or s.organization_id = '00000000-0000-0000-0000-000000000000' and (s.level = 'platform'
                or s.level = 'strategy' and s.strategy_id = o.strategy_id))
        limit 1
    ) s on true
    where o.id = any(%(orders)s::uuid[]) and o.state = 'planned' and o.purpose = 'entry'
        and (o.expires_at <= %(now)s or s.reason is not null)
    for update of o
) found
where o.organization_id = found.organization_id and o.id = found.id
returning o.organization_id, o.account_id, o.signal_id
"""

# Whoever moves an order from planned to sending may send it; nobody else can, whatever happens then.
CLAIM = """
update trading_order o set state = 'sending', claimed_by = %(who)s, sent_at = %(now)s
from accounts_tradingaccount a
where o.id = any(%(orders)s::uuid[]) and o.state = 'planned'
    and a.organization_id = o.organization_id and a.id = o.account_id
returning o.organization_id, o.account_id, a.venue, o.id, o.signal_id, o.client_id, o.venue_symbol, o.side, o.type,
    o.quantity, o."limit", o.stop, o.trail, o.stop_loss, o.take_profit, o.time_in_force, o.reduces_only,
    o.venue_position
"""

# How orders stand by their venues' word: only along the table of moves, and never by an older report. That an order was
# not sent is said of one claim: told again when somebody else has claimed it since, it would be sent twice.
RECORD = """
update trading_order o set
    state = told.state,
    reason_code = told.code,
    reason = told.reason,
    venue_order_id = case when told.venue_order = '' then o.venue_order_id else told.venue_order end,
    revision = greatest(o.revision, told.revision),
    filled = greatest(o.filled, told.filled),
    average_price = coalesce(told.price, o.average_price),
    changed_at = told.at,
    acknowledged_at = case when told.state in ('planned', 'unknown') then null
        else coalesce(o.acknowledged_at, told.at) end,
    filled_at = case when told.state = 'filled' then coalesce(o.filled_at, told.at) else o.filled_at end,
    claimed_by = case when told.state = 'planned' then null else o.claimed_by end
from unnest(%(organizations)s::uuid[], %(orders)s::uuid[], %(states)s::text[], %(codes)s::text[], %(reasons)s::text[],
            %(venue_orders)s::text[], %(revisions)s::bigint[], %(filled)s::numeric[], %(prices)s::numeric[],
            %(times)s::timestamptz[], %(claims)s::timestamptz[])
    as told (organization_id, id, state, code, reason, venue_order, revision, filled, price, at, claimed_at)
where o.organization_id = told.organization_id and o.id = told.id and told.revision >= o.revision
    and (o.state, told.state) in (select * from unnest(%(befores)s::text[], %(afters)s::text[]))
    and (told.state <> 'planned' or o.sent_at = told.claimed_at)
returning o.id
"""
# Held in one order, because what venues tell moves the same rows at the same time.
HOLD_ORDERS = "select 1 from trading_order where id = any(%(orders)s::uuid[]) order by id for update"

# Exits for whatever is open at venues, ours or not, unless one is underway. Those of a stop are named by it, so that
# asking twice writes once.
WRITE_EXITS = """
insert into trading_order
    (id, organization_id, account_id, client_id, purpose, symbol, venue_symbol, side, type, quantity, state, decided_at,
     time_in_force, reduces_only, venue_position, cause_code, cause, reason_code, reason, venue_order_id, revision,
     filled)
select id, organization_id, account_id, client_id, 'exit', symbol, symbol, side, 'market', quantity, 'planned', %(now)s,
       'gtc', true, venue_position, '', '', '', '', '', 0, 0
from unnest(%(ids)s::uuid[], %(organizations)s::uuid[], %(accounts)s::uuid[], %(client_ids)s::text[],
            %(symbols)s::text[], %(sides)s::text[], %(quantities)s::numeric[], %(venue_positions)s::text[])
    as open (id, organization_id, account_id, client_id, symbol, side, quantity, venue_position)
where not exists (
    select from trading_order o
    where o.organization_id = open.organization_id and o.account_id = open.account_id and o.purpose = 'exit'
        and o.venue_symbol = open.symbol and o.venue_position = open.venue_position
        and o.state in ('planned', 'sending') and coalesce(o.sent_at, o.decided_at) > %(underway_since)s
)
on conflict (organization_id, client_id) do nothing
returning id
"""


def run(statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    """Run one of these; return its first row."""
    return next(iter(ask(statement, values)), None)
