-- Purpose: what the planner knows of the values of each column, as JSON. Columns that the role may not read are not among them.
-- Locks: access share on catalogues; none on the tables.
-- Oldest version: 14
select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'schema', s.schemaname, 'relation', s.tablename, 'name', pg_catalog.format('%I.%I', s.schemaname, s.tablename), 'column', s.attname,
    'inherited', s.inherited, 'null_frac', s.null_frac, 'avg_width', s.avg_width, 'n_distinct', s.n_distinct,
    'common', s.most_common_vals::text, 'common_share', s.most_common_freqs::text, 'bounds', s.histogram_bounds::text,
    'correlation', s.correlation,
    'elements', s.most_common_elems::text, 'element_share', s.most_common_elem_freqs::text, 'element_counts', s.elem_count_histogram::text
)), '[]')::text as columns
from pg_catalog.pg_stats s
where s.schemaname !~ '^pg_' and s.schemaname <> 'information_schema'
