"""What is written and asked when venues tell of orders and fills: one statement a table, for a batch of accounts.

Rows that two writers touch are locked first and in one order, so that no two of them wait for each other.
"""

from __future__ import annotations

# Whoever writes an account's books holds its link: events of an account are told upwards in one order.
MAKE_LINKS = """
insert into trading_venuelink (organization_id, account_id, blocked_reason, failures, successes, requests, policy,
    alarms)
select organization_id, account_id, '', 0, 0, 0, 'alarm', '[]'::jsonb
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[]) as heard (organization_id, account_id)
on conflict (organization_id, account_id) do nothing
"""
HOLD_LINKS = """
select l.account_id, a.organization_id, a.currency
from trading_venuelink l
join accounts_tradingaccount a on a.organization_id = l.organization_id and a.id = l.account_id
where (l.organization_id, l.account_id) in (select * from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[]))
order by l.organization_id, l.account_id
for update of l
"""
HOLD_ORDERS = """
select o.account_id, o.client_id, o.id, o.state, o.purpose, o.signal_id
from trading_order o
where (o.organization_id, o.client_id) in (select * from unnest(%(organizations)s::uuid[], %(client_ids)s::text[]))
order by o.id
for update of o
"""

# How orders stand by their venues' reports: along the table of moves only, and never by an older report.
ADVANCE = """
update trading_order o set
    state = told.state,
    reason_code = case when told.reason = '' then o.reason_code else told.code end,
    reason = case when told.reason = '' then o.reason else told.reason end,
    venue_order_id = case when told.venue_order = '' then o.venue_order_id else told.venue_order end,
    revision = told.revision,
    filled = greatest(o.filled, told.filled),
    average_price = coalesce(told.price, o.average_price),
    changed_at = told.at,
    acknowledged_at = coalesce(o.acknowledged_at, told.at),
    filled_at = case when told.state = 'filled' then coalesce(o.filled_at, told.at) else o.filled_at end
from unnest(%(organizations)s::uuid[], %(orders)s::uuid[], %(states)s::text[], %(codes)s::text[], %(reasons)s::text[],
            %(venue_orders)s::text[], %(revisions)s::bigint[], %(filled)s::numeric[], %(prices)s::numeric[],
            %(times)s::timestamptz[])
    as told (organization_id, id, state, code, reason, venue_order, revision, filled, price, at)
where o.organization_id = told.organization_id and o.id = told.id and told.revision >= o.revision
    and ((o.state, told.state) in (select * from unnest(%(befores)s::text[], %(afters)s::text[]))
         or o.state = told.state and told.revision > o.revision)
returning o.id, o.state
"""

KEEP_FILLS = """
insert into trading_fill
    (organization_id, account_id, venue_fill_id, client_id, venue_order_id, venue_position_id, book, position_id,
     symbol, side, quantity, price, fee, profit, rate_top, rate_bottom, at, told_at)
select organization_id, account_id, fill, client_id, venue_order, venue_position, book, position, symbol, side,
       quantity, price, fee, profit, rate_top, rate_bottom, at, %(now)s
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(fills)s::text[], %(client_ids)s::text[],
            %(venue_orders)s::text[], %(venue_positions)s::text[], %(books)s::text[], %(positions)s::uuid[],
            %(symbols)s::text[], %(sides)s::text[], %(quantities)s::numeric[], %(prices)s::numeric[],
            %(fees)s::numeric[], %(profits)s::numeric[], %(tops)s::numeric[], %(bottoms)s::numeric[],
            %(times)s::timestamptz[])
    as told (organization_id, account_id, fill, client_id, venue_order, venue_position, book, position, symbol, side,
             quantity, price, fee, profit, rate_top, rate_bottom, at)
on conflict (organization_id, account_id, venue_fill_id) do nothing
returning organization_id, account_id, book, client_id, at, quantity
"""

# Orders whose fills were told, and which no report has moved yet.
FILLED = """
update trading_order o set
    state = case when done.quantity >= o.quantity then 'filled' else 'partial' end,
    filled = done.quantity,
    average_price = done.cost / done.quantity,
    changed_at = greatest(o.changed_at, done.last_at),
    acknowledged_at = coalesce(o.acknowledged_at, done.first_at),
    filled_at = case when done.quantity >= o.quantity then coalesce(o.filled_at, done.last_at) else o.filled_at end
from (
    select f.organization_id, f.client_id, f.account_id, sum(f.quantity) as quantity,
           sum(f.quantity * f.price) as cost, min(f.at) as first_at, max(f.at) as last_at
    from trading_fill f
    where (f.organization_id, f.client_id) in
        (select * from unnest(%(organizations)s::uuid[], %(client_ids)s::text[]))
    group by f.organization_id, f.client_id, f.account_id
) done
where o.organization_id = done.organization_id and o.client_id = done.client_id and o.account_id = done.account_id
    and done.quantity > o.filled
    and (o.state, case when done.quantity >= o.quantity then 'filled' else 'partial' end)
        in (select * from unnest(%(befores)s::text[], %(afters)s::text[]))
"""
FILLED_SO_FAR = """
select o.organization_id, o.account_id, o.id, o.client_id, o.purpose, o.quantity, sum(f.quantity)
from trading_order o
join trading_fill f on f.organization_id = o.organization_id and f.client_id = o.client_id
    and f.account_id = o.account_id
where (o.organization_id, o.client_id) in (select * from unnest(%(organizations)s::uuid[], %(client_ids)s::text[]))
group by o.organization_id, o.account_id, o.id, o.client_id, o.purpose, o.quantity
"""

# Each book from its last beginning on: a position that was over before the first of the new fills is left alone.
_TOUCHED = """
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(books)s::text[], %(earliest)s::timestamptz[])
    as touched (organization_id, account_id, book, earliest)
cross join lateral (
    select least(touched.earliest, min(p.opened_at)) as since from trading_position p
    where p.organization_id = touched.organization_id and p.account_id = touched.account_id
        and touched.book in (p.venue_symbol, p.venue_position_id)
        and (p.state = 'open' or p.closed_at >= touched.earliest)
) begun
"""
FILLS_OF_BOOKS = f"""
select f.account_id, f.book, f.venue_fill_id, f.client_id, f.venue_order_id, f.venue_position_id, f.symbol, f.side,
    f.quantity, f.price, f.fee, f.profit, f.rate_top, f.rate_bottom, f.at, f.position_id,
    o.id, o.purpose, o.position_id, o.signal_id, o.receipt_id, o.strategy_id, o.symbol, o.stop_loss, o.take_profit,
    o.risk
{_TOUCHED}
join trading_fill f on f.organization_id = touched.organization_id and f.account_id = touched.account_id
    and f.book = touched.book and f.at >= begun.since
left join trading_order o on o.organization_id = f.organization_id and o.client_id = f.client_id
    and o.account_id = f.account_id
"""
POSITIONS_OF_BOOKS = f"""
select p.account_id, p.id, touched.book, p.state
{_TOUCHED}
join trading_position p on p.organization_id = touched.organization_id and p.account_id = touched.account_id
    and touched.book in (p.venue_symbol, p.venue_position_id)
    and (p.state = 'open' or p.closed_at >= begun.since)
"""

KEEP_POSITIONS = """
insert into trading_position as p
    (id, organization_id, account_id, signal_id, receipt_id, strategy_id, is_foreign, venue_position_id, symbol,
     venue_symbol, side, state, opened, quantity, entry, first_stop, stop, wanted_stop, target, risk, profit, fees,
     entry_fees, r, stops_made, stops_refused, plan, opened_at, closed_at, seen_at)
select id, organization_id, account_id, signal_id, receipt_id, strategy_id, is_foreign, venue_position_id, symbol,
       venue_symbol, side, state, opened, quantity, entry, first_stop, null, first_stop, target, risk, profit,
       fees, entry_fees, r, 0, 0, '{}'::jsonb, opened_at, closed_at, null
from jsonb_to_recordset(%(positions)s::jsonb) as folded (
    id uuid, organization_id uuid, account_id uuid, signal_id uuid, receipt_id uuid, strategy_id uuid,
    is_foreign boolean, venue_position_id text, symbol text, venue_symbol text, side text, state text, opened numeric,
    quantity numeric, entry numeric, first_stop numeric, target numeric, risk numeric, profit numeric, fees numeric,
    entry_fees numeric, r numeric, opened_at timestamptz, closed_at timestamptz)
on conflict (id) do update set
    signal_id = excluded.signal_id, receipt_id = excluded.receipt_id, strategy_id = excluded.strategy_id,
    venue_position_id = excluded.venue_position_id, side = excluded.side, state = excluded.state,
    opened = excluded.opened, quantity = excluded.quantity, entry = excluded.entry, first_stop = excluded.first_stop,
    risk = excluded.risk, profit = excluded.profit, fees = excluded.fees,
    entry_fees = excluded.entry_fees, r = excluded.r,
    opened_at = excluded.opened_at, closed_at = excluded.closed_at
where p.organization_id = excluded.organization_id and p.account_id = excluded.account_id
"""
BELONG = """
update trading_order o set position_id = belongs.position
from unnest(%(orders)s::uuid[], %(positions)s::uuid[]) as belongs (id, position)
where o.id = belongs.id and o.position_id is distinct from belongs.position
"""

TOLD_SO_FAR = """
select position_id, venue_fill_id, kind, profit from trading_booking
where (organization_id, position_id) in (select * from unnest(%(organizations)s::uuid[], %(positions)s::uuid[]))
"""
BOOK = """
insert into trading_booking
    (organization_id, account_id, position_id, venue_fill_id, kind, symbol, quantity, profit, at)
select organization_id, account_id, position, fill, kind, symbol, quantity, profit, at
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(positions)s::uuid[], %(fills)s::text[],
            %(kinds)s::text[], %(symbols)s::text[], %(quantities)s::numeric[], %(profits)s::numeric[],
            %(times)s::timestamptz[])
    with ordinality as told (organization_id, account_id, position, fill, kind, symbol, quantity, profit, at, place)
order by place
on conflict (organization_id, account_id, venue_fill_id, kind) do nothing
returning id, organization_id, account_id, position_id, kind, symbol, profit, at
"""

# What the venue says of positions: what protects them, and under which id it keeps them.
SEE_POSITIONS = """
update trading_position p set
    venue_position_id = case when p.venue_position_id = '' then seen.venue_position else p.venue_position_id end,
    stop = seen.stop, target = seen.target, swap = seen.swap, seen_at = greatest(p.seen_at, %(now)s)
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(venue_positions)s::text[], %(symbols)s::text[],
            %(stops)s::numeric[], %(targets)s::numeric[], %(swaps)s::numeric[])
    as seen (organization_id, account_id, venue_position, symbol, stop, target, swap)
where p.organization_id = seen.organization_id and p.account_id = seen.account_id and p.state = 'open'
    and (p.venue_position_id = seen.venue_position or p.venue_position_id = '' and p.venue_symbol = seen.symbol)
"""
SEE_ACCOUNTS = """
update trading_venuelink l set seen_at = greatest(l.seen_at, seen.at), leverage = seen.leverage
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(leverages)s::numeric[], %(times)s::timestamptz[])
    as seen (organization_id, account_id, leverage, at)
where l.organization_id = seen.organization_id and l.account_id = seen.account_id
"""

# --- what is done about positions ---
# Orders that make a position smaller or protect it; whoever decides the same once more finds them written.
WRITE_DEEDS = """
insert into trading_order
    (id, organization_id, account_id, client_id, purpose, position_id, strategy_id, signal_id, receipt_id, symbol,
     venue_symbol, side, type, quantity, stop, state, decided_at, time_in_force, reduces_only, venue_position,
     cause_code, cause, reason_code, reason, venue_order_id, revision, filled)
select id, organization_id, account_id, client_id, purpose, position_id, strategy_id, signal_id, receipt_id, symbol,
       venue_symbol, side, type, quantity, stop, 'planned', %(now)s, 'gtc', true, venue_position, cause_code, cause,
       '', '', '', 0, 0
from jsonb_to_recordset(%(orders)s::jsonb) as wanted (
    id uuid, organization_id uuid, account_id uuid, client_id text, purpose text, position_id uuid, strategy_id uuid,
    signal_id uuid, receipt_id uuid, symbol text, venue_symbol text, side text, type text, quantity numeric,
    stop numeric, venue_position text, cause_code text, cause text)
on conflict (organization_id, client_id) do nothing
returning id
"""
# A stop that the venue keeps with a position: where it is wanted is written before the venue is asked.
WANT_STOPS = """
update trading_position p set wanted_stop = wanted.stop, stops_made = p.stops_made + wanted.makes::int
from unnest(%(positions)s::uuid[], %(stops)s::numeric[], %(makes)s::bool[]) as wanted (id, stop, makes)
where p.id = wanted.id and p.state = 'open'
"""
STOP_ANSWERED = """
update trading_position p set
    stops_refused = case when %(is_refused)s::bool then p.stops_refused + 1 else 0 end,
    stop_refused_at = case when %(is_refused)s::bool then %(now)s::timestamptz end
where p.id = %(position)s::uuid
"""
STOP_ORDER_MOVED = """
update trading_order o set stop = %(stop)s::numeric, quantity = %(quantity)s::numeric
where o.organization_id = %(organization)s::uuid and o.client_id = %(client_id)s and o.state in ('working', 'partial')
"""
BEST = """
update trading_position p set best = seen.best
from unnest(%(positions)s::uuid[], %(bests)s::numeric[]) as seen (id, best) where p.id = seen.id and p.state = 'open'
"""

# --- what a look at a venue has shown ---
RESOLVE = """
update trading_order o set state = resolved.state, reason_code = resolved.code, reason = resolved.reason,
    changed_at = %(now)s, asked_at = %(now)s
from unnest(%(organizations)s::uuid[], %(client_ids)s::text[], %(states)s::text[], %(codes)s::text[],
            %(reasons)s::text[])
    as resolved (organization_id, client_id, state, code, reason)
where o.organization_id = resolved.organization_id and o.client_id = resolved.client_id and o.state = 'unknown'
    and (o.state, resolved.state) in (select * from unnest(%(befores)s::text[], %(afters)s::text[]))
returning o.organization_id, o.account_id, o.id, o.state, o.purpose, o.signal_id
"""
LOOKED = """
update trading_venuelink l set
    reconciled_at = greatest(l.reconciled_at, looked.at), look_at = looked.next, alarms = looked.alarms,
    blocked_reason = case when l.blocked_reason = '' then looked.blocked else l.blocked_reason end,
    blocked_at = case when l.blocked_reason = '' and looked.blocked <> '' then %(now)s else l.blocked_at end
from jsonb_to_recordset(%(looks)s::jsonb) as looked (
    organization_id uuid, account_id uuid, at timestamptz, next timestamptz, alarms jsonb, blocked text)
where l.organization_id = looked.organization_id and l.account_id = looked.account_id
"""
LOOK_NOW = """
update trading_venuelink l set look_at = %(now)s
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[]) as unseen (organization_id, account_id)
where l.organization_id = unseen.organization_id and l.account_id = unseen.account_id
    and (l.look_at is null or l.look_at > %(now)s)
"""
BREAKERS = """
update trading_venuelink l set failures = now_is.failures, successes = now_is.successes,
    closed_until = now_is.open_until
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(failures)s::int[], %(successes)s::int[],
            %(until)s::timestamptz[])
    as now_is (organization_id, account_id, failures, successes, open_until)
where l.organization_id = now_is.organization_id and l.account_id = now_is.account_id
"""
SET_PLANS = """
update trading_position p set plan = settled.plan
from unnest(%(positions)s::uuid[], %(plans)s::jsonb[]) as settled (id, plan)
where p.id = settled.id and p.plan = '{}'::jsonb
"""
PLANS = "select id, plan from trading_position where id = any(%(positions)s::uuid[])"
# What a week had brought in a symbol when a position was opened; without a profit where nobody knows it.
REALISED = """
select asked.position, b.symbol, b.profit, b.at
from unnest(%(positions)s::uuid[], %(organizations)s::uuid[], %(accounts)s::uuid[], %(symbols)s::text[],
            %(begins)s::timestamptz[], %(until)s::timestamptz[])
    as asked (position, organization_id, account_id, symbol, begins, until)
join trading_booking b on b.organization_id = asked.organization_id and b.account_id = asked.account_id
    and b.kind = 'settled' and b.symbol = asked.symbol and b.at >= asked.begins and b.at < asked.until
"""
# Whoever is to be watched: with something at a venue or open by our books, or following something.
ROSTER = """
select a.organization_id, a.id, a.venue, l.look_at, coalesce(l.failures, 0), coalesce(l.successes, 0),
    l.closed_until, exists (select from trading_position p
        where p.organization_id = a.organization_id and p.account_id = a.id and p.state = 'open')
from accounts_tradingaccount a
left join trading_venuelink l on l.organization_id = a.organization_id and l.account_id = a.id
where a.status <> 'closed' and (%(among)s::uuid[] is null or a.id = any(%(among)s::uuid[])) and (
    exists (select from trading_order o where o.organization_id = a.organization_id and o.account_id = a.id
        and o.state in ('sending', 'unknown', 'working', 'partial'))
    or exists (select from trading_order o where o.organization_id = a.organization_id and o.account_id = a.id
        and o.position_id is null and o.filled > 0 and o.purpose = 'entry')
    or exists (select from trading_position p where p.organization_id = a.organization_id and p.account_id = a.id
        and p.state = 'open')
    or exists (select from trading_follow f where f.organization_id = a.organization_id and f.account_id = a.id
        and not f.is_paused))
"""
# The symbols whose prices matter at a venue: of strategies that somebody there follows, and of what is open.
SYMBOLS = """
select distinct a.venue, s.symbol
from trading_follow f
join accounts_tradingaccount a on a.organization_id = f.organization_id and a.id = f.account_id
join trading_strategy y on y.organization_id = f.strategy_organization_id and y.id = f.strategy_id
cross join lateral jsonb_array_elements_text(y.parameters -> 'symbols') as s (symbol)
where a.status <> 'closed' and not f.is_paused
union
select distinct a.venue, p.venue_symbol from trading_position p
join accounts_tradingaccount a on a.organization_id = p.organization_id and a.id = p.account_id
where p.state = 'open'
"""
