-- Purpose: what the planner is to believe of columns, by the server's own function. $1: the JSON of read_columns.sql.
-- Locks: share update exclusive on each table. For who may maintain them.
-- Oldest version: 18
select pg_catalog.count(pg_catalog.pg_restore_attribute_stats(
    'schemaname', s."schema", 'relname', s.relation, 'attname', s."column", 'inherited', s.inherited,
    'null_frac', s.null_frac, 'avg_width', s.avg_width, 'n_distinct', s.n_distinct,
    'most_common_vals', s.common, 'most_common_freqs', s.common_share::float4[], 'histogram_bounds', s.bounds,
    'correlation', s.correlation, 'most_common_elems', s.elements, 'most_common_elem_freqs', s.element_share::float4[],
    'elem_count_histogram', s.element_counts::float4[]))
from pg_catalog.json_to_recordset($1::text::json) as s (
    "schema" text, relation text, "column" text, inherited bool, null_frac float4, avg_width int4, n_distinct float4,
    common text, common_share text, bounds text, correlation float4, elements text, element_share text, element_counts text)
where pg_catalog.to_regclass(pg_catalog.format('%I.%I', s."schema", s.relation)) is not null
