//! Reading relations for bloat: [`PAGES`] random pages of a heap, a catalogue row for each column of an index, and all
//! pages of at most [`COUNTED_MAX`] indexes of at most [`COUNTED_PAGES_MAX`] pages each.

use corridor_pg::{Ident, Oid, QualifiedName, Result};
use tokio_postgres::Row;

use super::estimate::{Column, Pages};
use super::{Bloat, Counted, Heap, Index};
use crate::probe::Scope;
use crate::reader::Reader;

/// Random pages of a heap: 768 kB, and a standard error of a twentieth of the whole at most.
const PAGES: usize = 96;
/// Smaller heaps are not worth a look: 8 MB.
const HEAP_PAGES_MIN: i32 = 1_000;
/// So many heaps, the largest first.
const HEAPS_MAX: i64 = 12;
/// Smaller indexes are not worth a look: 4 MB.
const INDEX_PAGES_MIN: i32 = 512;
/// So many indexes are kept in the history.
const INDEXES_MAX: i64 = 60;
/// Of so many the columns are looked at.
const FORMULA_MAX: usize = 20;
/// So many are counted.
const COUNTED_MAX: usize = 2;
/// No larger ones are: 32 MB.
const COUNTED_PAGES_MAX: f64 = 4_096.0;
/// By statistics, an index is a suspect from here on.
const SUSPECT: f64 = 0.3;
/// What a row has beside its widest value, at least: before PostgreSQL 17, a value that leaves the row no more room than
/// this below its target is taken to stand out of line.
const ROW_REST_BYTES: i32 = 32;
/// What a page takes: values that are kept in their rows as long as possible (`storage main`) move beyond that only.
const PAGE_ROW_BYTES: i32 = 8_160;

/// Reads everything.
pub(super) async fn read(reader: &mut Reader, scope: &Scope) -> Result<Bloat> {
    let (schema, table) = match &scope.table {
        Some((schema, table)) => (Some(schema.as_str()), Some(table.as_str())),
        None => (None, None),
    };
    let rows = reader
        .ask(
            "the largest tables",
            include_str!("../../../sql/bloat/tables.sql"),
            &[&schema, &table, &HEAP_PAGES_MIN, &HEAPS_MAX],
        )
        .await?
        .unwrap_or_default();
    let mut heaps: Vec<Heap> = rows.iter().map(heap).collect();
    let rows = reader
        .ask(
            "the largest indexes",
            include_str!("../../../sql/bloat/indexes.sql"),
            &[&schema, &table, &INDEX_PAGES_MIN, &INDEXES_MAX],
        )
        .await?
        .unwrap_or_default();
    let mut indexes: Vec<Index> = rows.iter().map(index).collect();
    for index in indexes
        .iter_mut()
        .filter(|index| index.method == "btree")
        .take(FORMULA_MAX)
    {
        index.columns = columns(reader, index).await?;
    }
    let mut random = fastrand::Rng::with_seed(scope.seed);
    for heap in &mut heaps {
        heap.sample = pages(reader, heap, &mut random).await?;
        if let Some(sample) = &heap.sample {
            heap.pages = sample.of;
        }
    }
    count(reader, &mut indexes).await?;
    Ok(Bloat {
        server_version_num: reader.server_version_num(),
        heaps,
        indexes,
    })
}

fn heap(row: &Row) -> Heap {
    Heap {
        oid: Oid(row.get("oid")),
        relation_schema: row.get("relation_schema"),
        relation_name: row.get("relation_name"),
        schema: row.get("schema_name"),
        table: row.get("table_name"),
        is_toast: row.get("is_toast"),
        is_catalogue: row.get("is_catalogue"),
        pages: row.get("pages"),
        rows: row.get("rows_known"),
        live_rows: row.get("live_rows"),
        dead_rows: row.get("dead_rows"),
        fill_factor: row.get("fill_factor"),
        row_target: row.get("row_target"),
        sample: None,
    }
}

fn index(row: &Row) -> Index {
    Index {
        oid: Oid(row.get("oid")),
        schema: row.get("schema_name"),
        table: row.get("table_name"),
        name: row.get("index_name"),
        method: row.get("method"),
        pages: row.get("pages"),
        entries: row.get("entries"),
        is_exclusion: row.get("is_exclusion"),
        are_equal_merged: !(row.get::<_, bool>("is_without_duplicates_merged")
            || row.get::<_, bool>("has_included")
            || row.get::<_, bool>("is_unique")),
        fill_factor: row.get("fill_factor"),
        columns: Vec::new(),
        counted: None,
    }
}

async fn columns(reader: &mut Reader, index: &Index) -> Result<Vec<Column>> {
    let rows = reader
        .ask(
            &format!("the statistics of the columns of {}", index.object()),
            include_str!("../../../sql/bloat/index_columns.sql"),
            &[&index.oid.0],
        )
        .await?
        .unwrap_or_default();
    Ok(rows
        .iter()
        .map(|row| Column {
            width: row.get("width"),
            null_share: row.get::<_, Option<f64>>("null_share").unwrap_or(0.0),
            distinct_values: row.get::<_, Option<f64>>("distinct_values").unwrap_or(0.0),
            is_variable: row.get::<_, i32>("length") < 0,
        })
        .collect())
}

/// Live bytes in random pages. `None`: it may not be read, or there is nothing.
async fn pages(reader: &mut Reader, heap: &Heap, random: &mut fastrand::Rng) -> Result<Option<Pages>> {
    let what = format!("random pages of {}", heap.object());
    let size = include_str!("../../../sql/bloat/size.sql");
    let of = match reader.ask_one(&what, size, &[&heap.oid.0]).await? {
        Some(row) => row.get::<_, Option<i64>>("pages").unwrap_or(0),
        None => return Ok(None),
    };
    let rows = reader
        .ask(
            &what,
            include_str!("../../../sql/bloat/columns.sql"),
            &[&heap.oid.0],
        )
        .await?
        .unwrap_or_default();
    if of < 2 || rows.is_empty() {
        return Ok(None);
    }
    let name = QualifiedName::new(
        Ident::new(heap.relation_schema.as_str())?,
        Ident::new(heap.relation_name.as_str())?,
    );
    let blocks = blocks(random, of);
    // The addresses of all rows that a page can have, so that the server reads these pages and no others.
    let sql = format!(
        "/* corridor */ select count(w.page)::float8 as rows, coalesce(sum(w.bytes), 0)::float8 as bytes \
         from unnest($1::int8[]) with ordinality b (block, n) \
         left join ( \
           select (t.ctid::text::point)[0]::int8 as page, (({}) + 7) / 8 * 8 + 4 as bytes \
           from only {name} t \
           where t.ctid = any (array(select format('(%s,%s)', p.block, o.place)::tid \
             from unnest($1::int8[]) p (block), generate_series(1, 291) o (place))) \
         ) w on w.page = b.block \
         group by b.n",
        row_bytes(reader.server_version_num(), heap.row_target, &rows)?
    );
    let Some(found) = reader.ask(&what, &sql, &[&blocks]).await? else {
        return Ok(None);
    };
    Ok(Some(Pages {
        live_bytes: found.iter().map(|row| row.get("bytes")).collect(),
        rows: found.iter().map(|row| row.get::<_, f64>("rows")).sum(),
        of: of as f64,
    }))
}

/// An expression for the bytes of row `t` as the server lays it out: header, null map, alignment of each column.
fn row_bytes(server_version_num: i32, row_target: i32, columns: &[Row]) -> Result<String> {
    let mut offset = "0".to_owned();
    let mut nulls = Vec::new();
    let mut can_move = false;
    let mut can_stay = false;
    for column in columns {
        // A dropped column is null in rows that were written since; in older ones it may still have its value.
        if column.get::<_, bool>("is_dropped") {
            continue;
        }
        let name = Ident::new(column.get::<_, String>("name"))?;
        let (length, alignment) = (column.get::<_, i32>("length"), column.get::<_, i32>("alignment"));
        if length >= 0 {
            let present = format!("(t.{name} is not null)::int4");
            let pad = format!("(({offset} + {alignment} - 1) / {alignment} * {alignment})");
            // Without a value there is no alignment either; the few bytes that this adds to a row with a null are fewer
            // than the next column's alignment takes away again.
            offset = format!("({pad} + {length} * {present})");
        } else {
            let size = format!("coalesce(pg_column_size(t.{name}), 0)");
            let target = match column.get::<_, String>("storage").as_str() {
                "p" => None,
                "m" => Some(PAGE_ROW_BYTES),
                _ => Some(row_target),
            };
            can_move |= target == Some(row_target);
            can_stay |= target != Some(row_target);
            let width = match target {
                Some(_) if server_version_num >= 170_000 && length == -1 => {
                    format!(
                        "case when pg_column_toast_chunk_id(t.{name}) is not null then 18 else {size} end"
                    )
                }
                Some(target) => {
                    let most = target - ROW_REST_BYTES;
                    format!("case when {size} > {most} then 18 else {size} end")
                }
                None => size,
            };
            offset = format!("({offset} + {width})");
        }
        nulls.push(format!("t.{name} is null"));
    }
    let map = if nulls.len() > 8 {
        let bytes = columns.len().div_ceil(8);
        let header = (23 + bytes).div_ceil(8) * 8;
        format!("case when {} then {header} else 24 end", nulls.join(" or "))
    } else {
        "24".to_owned()
    };
    Ok(if can_move && !can_stay && server_version_num < 170_000 {
        // Several wide values, of which some have moved.
        format!("least({map} + {offset}, {row_target} + 24)")
    } else {
        format!("{map} + {offset}")
    })
}

/// Different random pages, in order; all of them when there are few.
fn blocks(random: &mut fastrand::Rng, of: i64) -> Vec<i64> {
    if of <= PAGES as i64 {
        return (0..of).collect();
    }
    let mut blocks = std::collections::BTreeSet::new();
    while blocks.len() < PAGES {
        blocks.insert(random.i64(0..of));
    }
    blocks.into_iter().collect()
}

/// Counts the one or two indexes that stand out most, or of which the statistics say nothing.
async fn count(reader: &mut Reader, indexes: &mut [Index]) -> Result<()> {
    let mut suspects: Vec<(usize, f64)> = indexes
        .iter()
        .enumerate()
        .filter(|(_, index)| index.method == "btree" && index.pages <= COUNTED_PAGES_MAX)
        .filter_map(|(at, index)| match index.formula() {
            Some(bloat) => (bloat >= SUSPECT).then_some((at, bloat * index.pages)),
            None => Some((at, SUSPECT * index.pages)),
        })
        .collect();
    suspects.sort_by(|a, b| b.1.total_cmp(&a.1));
    if suspects.is_empty() {
        return Ok(());
    }
    let what = "indexes page by page";
    let installed = reader
        .ask(
            what,
            include_str!("../../../sql/amplification/extension.sql"),
            &[&"pgstattuple"],
        )
        .await?;
    let Some(schema) = installed.and_then(|rows| rows.first().map(|row| row.get::<_, String>(0))) else {
        reader.note(
            what,
            "the extension pgstattuple is not installed: indexes with equal entries are judged by their history alone",
            "create extension pgstattuple",
        );
        return Ok(());
    };
    let sql = format!(
        "/* corridor */ select s.leaf_pages::float8 as leaves, s.avg_leaf_density::float8 as density, \
           s.empty_pages::float8 as empty, s.deleted_pages::float8 as deleted \
         from {}.pgstatindex($1::oid::regclass) s",
        Ident::new(schema)?
    );
    for (at, _) in suspects.into_iter().take(COUNTED_MAX) {
        let index = &mut indexes[at];
        let what = format!("the pages of {}", index.object());
        let row = reader.ask_one(&what, &sql, &[&index.oid.0]).await?;
        index.counted = row.map(|row| Counted {
            leaves: row.get("leaves"),
            density: row.get("density"),
            empty: row.get("empty"),
            deleted: row.get("deleted"),
        });
    }
    Ok(())
}
