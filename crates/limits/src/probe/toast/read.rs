//! Reading the id space of TOAST relations: bounded in pages and time, whatever their size.
//!
//! For each relation, at most: [`POINTS`] look-ups in the index (a leaf page each, and a heap page where the visibility
//! map does not help), [`BLOCKS`] heap pages, 448 look-ups ahead of the counter, [`RUN_MAX`] entries of the run that the
//! counter stands in, some fifty windows of 64 ids, and [`PRICED`] look-ups with their heap page to learn the price of one.

use std::time::Instant;

use corridor_pg::{Ident, Oid, QualifiedName, Result};
use tokio_postgres::Row;

use super::space::{self, Stretch};
use super::{Counter, Inline, Look, Relation, Share, Space, Toast, Writers};
use crate::probe::Scope;
use crate::reader::Reader;

/// Random points of the whole space: one standard error is 0.9 % of the space at most, and 24 MiB of leaf pages.
const POINTS: u32 = 3_072;
/// So many points a statement, so that the time box holds.
const BATCH: usize = 512;
/// Heap pages for the share of first chunks.
const BLOCKS: u32 = 128;
/// The run that the counter stands in is followed so far by counting; beyond that by windows.
const RUN_MAX: i64 = 10_000;
/// Look-ups with their heap page, to learn the price of one.
const PRICED: i64 = 512;
/// Ids in a window.
const WINDOW: u64 = 64;
/// A window with so many used ids counts as full.
const FULL: i64 = 63;
/// Smaller TOAST relations cannot hurt: a walk through all of their ids takes milliseconds.
const CHUNKS_MIN: f64 = 10_000.0;
/// So many relations, those with most chunks first.
const RELATIONS_MAX: i64 = 12;
/// With fewer chunks than this, a share of the space need not be measured: it is below half a percent.
const CHUNKS_FOR_POINTS: f64 = 4_000_000.0;
/// Dense places ahead that are looked at more closely.
const SUSPECTS_MAX: usize = 6;
/// How far apart two looks at the statistics are: servers report them once a second.
const LOOKS_APART_MS: u64 = 1_200;

/// Reads everything.
pub(super) async fn read(reader: &mut Reader, scope: &Scope) -> Result<Toast> {
    let Some(row) = reader
        .ask_one(
            "the counter of object ids",
            include_str!("../../../sql/toast/counter.sql"),
            &[],
        )
        .await?
    else {
        return Ok(Toast::default());
    };
    let counter = Counter {
        next: row.get::<_, u32>("next_oid").max(space::FIRST_ID),
        age_s: row.get("age_s"),
    };
    let now_s = row.get("now_s");
    let is_superuser = row.get("is_superuser");
    let (schema, table) = match &scope.table {
        Some((schema, table)) => (Some(schema.as_str()), Some(table.as_str())),
        None => (None, None),
    };
    let rows = reader
        .ask(
            "the TOAST relations",
            include_str!("../../../sql/toast/relations.sql"),
            &[&schema, &table, &CHUNKS_MIN, &RELATIONS_MAX],
        )
        .await?
        .unwrap_or_default();
    let mut relations: Vec<Relation> = rows.iter().map(|row| relation(row, now_s)).collect();
    let mut random = fastrand::Rng::with_seed(scope.seed);
    for relation in &mut relations {
        look_into(reader, relation, counter, &mut random).await?;
    }
    let oids: Vec<u32> = relations.iter().map(|r| r.oid.0).collect();
    writers(reader, &oids, &mut relations).await?;
    if relations.iter().any(Relation::is_suspect) {
        // Our own look-ups are in the statistics too: they must be reported before the first of the two looks.
        if reader.server_version_num() >= 150_000 {
            let sql = include_str!("../../../sql/toast/report_now.sql");
            reader.ask("the statistics of this session", sql, &[]).await?;
        }
        for look in [Looked::First, Looked::Second] {
            look_again(reader, &oids, &mut relations, look).await?;
            if look == Looked::First {
                let wait_ms = LOOKS_APART_MS.min(u64::from(reader.left_ms()));
                tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
            }
        }
    }
    Ok(Toast {
        now_s,
        counter: Some(counter),
        is_superuser,
        relations,
    })
}

fn relation(row: &Row, now_s: f64) -> Relation {
    Relation {
        oid: Oid(row.get("oid")),
        parent_oid: Oid(row.get("parent_oid")),
        toast_name: row.get("toast_name"),
        schema_name: row.get("schema_name"),
        table_name: row.get("table_name"),
        pages: row.get("pages"),
        pages_all_visible: row.get("pages_all_visible"),
        parent_pages: row.get("parent_pages"),
        // The statistics views know what was inserted since the last vacuum.
        chunks: row.get::<_, f64>("chunks").max(row.get("live_chunks")),
        dead_chunks: row.get("dead_chunks"),
        tuple_target: row.get("tuple_target"),
        first_look: Look {
            at_s: now_s,
            chunks_inserted: row.get("chunks_inserted"),
            index_scans: row.get("index_scans"),
            index_fetches: row.get("index_fetches"),
        },
        ..Relation::default()
    }
}

/// The quoted name of the TOAST relation; they all live in one schema.
fn toast_name(relation: &Relation) -> Result<QualifiedName> {
    Ok(QualifiedName::new(
        Ident::new("pg_toast")?,
        Ident::new(relation.toast_name.as_str())?,
    ))
}

async fn look_into(
    reader: &mut Reader,
    relation: &mut Relation,
    counter: Counter,
    random: &mut fastrand::Rng,
) -> Result<()> {
    let name = toast_name(relation)?;
    let what = format!("the ids of {name} ({})", relation.table());
    let Some(share) = first_chunks(reader, &what, &name, relation.pages, random).await? else {
        // Refused once is refused for all that follows, and for the other relations too; each says so for itself.
        return Ok(());
    };
    relation.first_share = share;
    // First what is ahead: that is where it hurts first.
    let near = space::near_points(counter.next);
    let Some(near_used) = used(reader, &what, &name, &near).await? else {
        return Ok(());
    };
    relation.run_ahead = run_ahead(reader, &what, &name, counter.next).await?;
    let mut suspects: Vec<u32> = Vec::new();
    if relation.run_ahead.is_some_and(|run| run > 0) {
        suspects.push(counter.next);
    }
    suspects.extend(ids_where(&near, &near_used).take(SUSPECTS_MAX));
    if relation.chunks >= CHUNKS_FOR_POINTS {
        let points = space::points(POINTS, || random.f64());
        if let Some(is_used) = used(reader, &what, &name, &points).await? {
            let hits = u32::try_from(is_used.iter().filter(|used| **used).count()).unwrap_or(POINTS);
            let looked = u32::try_from(is_used.len()).unwrap_or(POINTS);
            let points = &points[..is_used.len()];
            relation.space = Some(Space {
                points: looked,
                hits,
                map: if looked == POINTS {
                    space::map(points, &is_used, 64)
                } else {
                    Vec::new()
                },
            });
            // In the order in which the counter will meet them.
            let mut far: Vec<u32> = ids_where(points, &is_used).collect();
            far.sort_by_key(|id| space::distance(counter.next, *id));
            suspects.extend(far.into_iter().take(SUSPECTS_MAX));
        }
    }
    relation.stretch = next_stretch(reader, &what, &name, counter.next, &suspects).await?;
    if let Some(stretch) = relation.stretch {
        relation.lookup_us = price(reader, &what, &name, stretch.first).await?;
        relation.inline = inline(reader, relation, random).await?;
    }
    relation.key_column = key_column(reader, relation).await?;
    Ok(())
}

fn ids_where<'a>(ids: &'a [u32], is_used: &'a [bool]) -> impl Iterator<Item = u32> + 'a {
    ids.iter()
        .zip(is_used)
        .filter(|(_, used)| **used)
        .map(|(id, _)| *id)
}

/// Which of the ids are used. Fewer answers than ids when the time was up in between; `None` when there is no answer.
async fn used(
    reader: &mut Reader,
    what: &str,
    name: &QualifiedName,
    ids: &[u32],
) -> Result<Option<Vec<bool>>> {
    // `limit` keeps it a look-up in the index for each point: without it the server may read the whole index once.
    let sql = format!(
        "/* corridor */ select n::int4 from unnest($1::int8[]) with ordinality p (id, n) \
         where (select true from {name} t where t.chunk_id = p.id::oid limit 1)"
    );
    let mut is_used = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        let wanted: Vec<i64> = batch.iter().map(|id| i64::from(*id)).collect();
        let Some(rows) = reader.ask(what, &sql, &[&wanted]).await? else {
            return Ok((!is_used.is_empty()).then_some(is_used));
        };
        let mut answer = vec![false; batch.len()];
        for row in rows {
            let n = usize::try_from(row.get::<_, i32>(0)).unwrap_or(0);
            if let Some(place) = n.checked_sub(1).and_then(|n| answer.get_mut(n)) {
                *place = true;
            }
        }
        is_used.extend(answer);
    }
    Ok(Some(is_used))
}

/// The addresses of all rows that the pages `$1` can have: whatever the statistics say, the server then reads these pages
/// and no others. A range of addresses for each page is a plan that the server may turn into one scan of the whole.
const TIDS: &str = "array(select format('(%s,%s)', b.block, o.place)::tid \
                    from unnest($1::int8[]) b (block), generate_series(1, 291) o (place))";

/// Rows and first chunks in random heap pages. `Some(None)` when there is no page yet.
async fn first_chunks(
    reader: &mut Reader,
    what: &str,
    name: &QualifiedName,
    pages: i64,
    random: &mut fastrand::Rng,
) -> Result<Option<Option<Share>>> {
    let blocks = blocks(random, i64::from(BLOCKS), pages);
    let sql = format!(
        "/* corridor */ select count(*)::float8 as rows, \
           (count(*) filter (where t.chunk_seq = 0))::float8 as firsts \
         from {name} t where t.ctid = any ({TIDS})"
    );
    let Some(row) = reader.ask_one(what, &sql, &[&blocks]).await? else {
        return Ok(None);
    };
    let (rows, firsts) = (row.get::<_, f64>("rows"), row.get::<_, f64>("firsts"));
    Ok(Some((rows > 0.0).then_some(Share { rows, firsts })))
}

/// Up to `count` different pages of `pages`, in order.
fn blocks(random: &mut fastrand::Rng, count: i64, pages: i64) -> Vec<i64> {
    let mut blocks: Vec<i64> = (0..count.min(pages))
        .map(|_| random.i64(0..pages.max(1)))
        .collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks
}

/// How many used ids without a gap begin at the counter; at most [`RUN_MAX`].
async fn run_ahead(reader: &mut Reader, what: &str, name: &QualifiedName, next: u32) -> Result<Option<i64>> {
    let sql = format!(
        "/* corridor */ select count(*)::int8 from ( \
           select d.chunk_id::int8 as id, row_number() over (order by d.chunk_id) as place from ( \
             select t.chunk_id from {name} t \
             where t.chunk_id >= $1::int8::oid and t.chunk_seq = 0 order by t.chunk_id limit $2) d) q \
         where q.id - q.place = $1::int8 - 1"
    );
    let row = reader.ask_one(what, &sql, &[&i64::from(next), &RUN_MAX]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Used ids in a window that begins at `first`.
async fn in_window(reader: &mut Reader, what: &str, name: &QualifiedName, first: u32) -> Result<Option<i64>> {
    let sql = format!(
        "/* corridor */ select count(*)::int8 from {name} t \
         where t.chunk_id >= $1::int8::oid and t.chunk_id < ($1::int8 + $2::int8)::oid and t.chunk_seq = 0"
    );
    let first = i64::from(first).min(i64::from(u32::MAX) - WINDOW as i64);
    let row = reader.ask_one(what, &sql, &[&first, &(WINDOW as i64)]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// The next stretch of full windows that one of the suspects lies in.
async fn next_stretch(
    reader: &mut Reader,
    what: &str,
    name: &QualifiedName,
    counter: u32,
    suspects: &[u32],
) -> Result<Option<Stretch>> {
    let mut best: Option<Stretch> = None;
    let mut sorted = suspects.to_vec();
    sorted.sort_by_key(|id| space::distance(counter, *id));
    sorted.dedup();
    for suspect in sorted {
        let at = space::distance(counter, suspect);
        if best.is_some_and(|found| at <= found.distance + found.ids) {
            continue;
        }
        if in_window(reader, what, name, suspect).await?.unwrap_or(0) < FULL {
            continue;
        }
        let stretch = edges(reader, what, name, counter, suspect).await?;
        // The first one is the next one; a longer one behind it matters more only when the first is nothing.
        if best.is_none_or(|found| found.ids < 10_000 && stretch.ids > found.ids) {
            best = Some(stretch);
        }
        if best.is_some_and(|found| found.ids >= 10_000) {
            break;
        }
    }
    Ok(best)
}

/// Where the full windows around `inside` begin and end, by doubling steps and then by halving.
async fn edges(
    reader: &mut Reader,
    what: &str,
    name: &QualifiedName,
    counter: u32,
    inside: u32,
) -> Result<Stretch> {
    let place = space::distance(space::FIRST_ID, inside);
    let ids = space::IDS as u64;
    // Towards the counter no further than the counter itself, onwards no further than once round.
    let back_max = space::distance(counter, inside).min(place);
    let on_max = ids - 1 - place;
    let back = reach(reader, what, name, inside, back_max, false).await?;
    let on = reach(reader, what, name, inside, on_max, true).await?;
    let first = space::ahead(space::FIRST_ID, place - back);
    Ok(Stretch {
        first,
        ids: back + on + WINDOW,
        distance: space::distance(counter, first),
    })
}

/// How far from `inside` windows are still full, in one direction.
async fn reach(
    reader: &mut Reader,
    what: &str,
    name: &QualifiedName,
    inside: u32,
    max: u64,
    is_onwards: bool,
) -> Result<u64> {
    let place = space::distance(space::FIRST_ID, inside);
    let (mut full, mut step) = (0u64, WINDOW);
    let mut open = max + 1;
    while open - full > WINDOW {
        let at = if open > max && full + step <= max {
            full + step
        } else {
            full + (open - full) / 2
        };
        let id = space::ahead(space::FIRST_ID, if is_onwards { place + at } else { place - at });
        let Some(count) = in_window(reader, what, name, id).await? else {
            break;
        };
        if count >= FULL {
            full = at;
            step *= 2;
        } else {
            open = at;
        }
    }
    Ok(full)
}

/// Microseconds for one look-up with its heap page, as a write makes it.
async fn price(reader: &mut Reader, what: &str, name: &QualifiedName, first: u32) -> Result<Option<f64>> {
    // `ctid` makes the server visit the heap, as `GetNewOidWithIndex` does.
    let sql = format!(
        "/* corridor */ select count((select t.ctid from {name} t where t.chunk_id = p.id::oid limit 1)), \
           extract(epoch from clock_timestamp() - statement_timestamp())::float8 \
         from generate_series($1::int8, $1::int8 + $2::int8 - 1) p (id)"
    );
    let first = i64::from(first).min(i64::from(u32::MAX) - PRICED);
    let begun = Instant::now();
    let row = reader.ask_one(what, &sql, &[&first, &PRICED]).await?;
    // Planning and the way there and back are in it: some hundred microseconds, a fifth of one for each look-up.
    Ok(row.map(|_| begun.elapsed().as_secs_f64() * 1e6 / PRICED as f64))
}

/// Which share of the rows that need TOAST now would fit into a page when `toast_tuple_target` is at its highest.
async fn inline(
    reader: &mut Reader,
    relation: &Relation,
    random: &mut fastrand::Rng,
) -> Result<Option<Inline>> {
    let what = format!("the widths of rows of {}", relation.table());
    let columns = reader
        .ask(
            &what,
            include_str!("../../../sql/toast/columns.sql"),
            &[&relation.parent_oid.0],
        )
        .await?
        .unwrap_or_default();
    let mut widths = Vec::new();
    for column in &columns {
        let name = Ident::new(column.get::<_, String>("name"))?;
        widths.push(format!("coalesce(pg_column_size(t.{name}), 0)"));
    }
    if widths.is_empty() || relation.parent_pages == 0 {
        return Ok(None);
    }
    let table = QualifiedName::new(
        Ident::new(relation.schema_name.as_str())?,
        Ident::new(relation.table_name.as_str())?,
    );
    let blocks = blocks(random, 64, relation.parent_pages);
    let sql = format!(
        "/* corridor */ select count(*)::float8 as wide, (count(*) filter (where w.width <= 8100))::float8 as fit \
         from (select {} as width from only {table} t where t.ctid = any ({TIDS})) w \
         where w.width > 2000",
        widths.join(" + ")
    );
    let row = reader.ask_one(&what, &sql, &[&blocks]).await?;
    Ok(row.map(|row| Inline {
        wide_rows: row.get("wide"),
        fitting_rows: row.get("fit"),
    }))
}

async fn key_column(reader: &mut Reader, relation: &Relation) -> Result<Option<String>> {
    let row = reader
        .ask_one(
            "the primary key",
            include_str!("../../../sql/toast/primary_key.sql"),
            &[&relation.parent_oid.0],
        )
        .await?;
    Ok(row.map(|row| row.get("name")))
}

async fn writers(reader: &mut Reader, oids: &[u32], relations: &mut [Relation]) -> Result<()> {
    let rows = reader
        .ask(
            "who writes to the TOAST relations",
            include_str!("../../../sql/toast/writers.sql"),
            &[&oids],
        )
        .await?
        .unwrap_or_default();
    for row in rows {
        let oid: u32 = row.get("oid");
        if let Some(relation) = relations.iter_mut().find(|r| r.oid.0 == oid) {
            relation.writers = Some(Writers {
                sessions: row.get("writers"),
                oldest_s: row.get::<_, Option<f64>>("oldest_s").unwrap_or(0.0),
            });
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked {
    First,
    Second,
}

async fn look_again(
    reader: &mut Reader,
    oids: &[u32],
    relations: &mut [Relation],
    which: Looked,
) -> Result<()> {
    let rows = reader
        .ask(
            "the statistics of TOAST relations",
            include_str!("../../../sql/toast/look_again.sql"),
            &[&oids],
        )
        .await?
        .unwrap_or_default();
    for row in rows {
        let oid: u32 = row.get("oid");
        if let Some(relation) = relations.iter_mut().find(|r| r.oid.0 == oid) {
            let look = Look {
                at_s: row.get("now_s"),
                chunks_inserted: row.get("chunks_inserted"),
                index_scans: row.get("index_scans"),
                index_fetches: row.get("index_fetches"),
            };
            match which {
                Looked::First => relation.first_look = look,
                Looked::Second => relation.second_look = Some(look),
            }
        }
    }
    Ok(())
}
