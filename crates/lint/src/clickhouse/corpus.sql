-- Purpose: statements as they stand in migrations of ClickHouse. All of them are read; a real parser takes them too.
-- Locks: none; nothing runs them.
-- Oldest version: as the documentation of ClickHouse 26 has them.

CREATE DATABASE IF NOT EXISTS analytics ON CLUSTER main ENGINE = Atomic COMMENT 'product analytics';
USE analytics;
SET mutations_sync = 0, alter_sync = 1;

/* Tables that hold rows. */
CREATE TABLE IF NOT EXISTS analytics.sharded_hits ON CLUSTER main
(
    `uuid` UUID,
    `event` LowCardinality(String) CODEC(ZSTD(1)),
    `properties` String CODEC(ZSTD(3)),
    `timestamp` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `team_id` Int64,
    `distinct_id` String DEFAULT '' COMMENT 'who, as the client says',
    `elements` Nested(tag_name String, attributes Map(String, String)),
    `amount` Nullable(Decimal(18, 4)),
    `host` String MATERIALIZED replaceRegexpAll(JSONExtractRaw(properties, 'host'), '^"|"$', ''),
    `day` Date ALIAS toDate(timestamp),
    `raw` String EPHEMERAL,
    `status` Enum8('new' = 1, 'old, or gone' = 2) DEFAULT 'new' TTL toDateTime(timestamp) + INTERVAL 1 MONTH,
    INDEX by_host host TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX kafka_timestamp_minmax timestamp TYPE minmax GRANULARITY 1,
    CONSTRAINT team_is_set CHECK team_id > 0,
    PROJECTION by_distinct_id (SELECT team_id, distinct_id, count() GROUP BY team_id, distinct_id)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/analytics.hits', '{replica}', timestamp)
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (team_id, toDate(timestamp))
ORDER BY (team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid))
SAMPLE BY cityHash64(distinct_id)
TTL toDateTime(timestamp) + INTERVAL 90 DAY TO VOLUME 'cold', toDateTime(timestamp) + INTERVAL 3 YEAR DELETE WHERE team_id != 2
SETTINGS index_granularity = 8192, storage_policy = 'hot_to_cold'
COMMENT 'one row a hit';

CREATE TABLE IF NOT EXISTS analytics.hits ON CLUSTER main AS analytics.sharded_hits
ENGINE = Distributed('main', 'analytics', 'sharded_hits', sipHash64(distinct_id));

CREATE TABLE IF NOT EXISTS analytics.writable_hits ON CLUSTER '{cluster}' (uuid UUID, team_id Int64)
ENGINE = Distributed(main, analytics, sharded_hits, rand()) SETTINGS fsync_after_insert = 1;

CREATE TABLE IF NOT EXISTS visits_local (id UInt64, visited DateTime DEFAULT now(), pages Array(Tuple(url String, ms UInt32)))
ENGINE = ReplicatedMergeTree ORDER BY id;

CREATE TABLE IF NOT EXISTS totals (day Date, team_id UInt32, hits SimpleAggregateFunction(sum, UInt64), visitors AggregateFunction(uniqState, String))
ENGINE = AggregatingMergeTree() PARTITION BY toYYYYMM(day) ORDER BY (team_id, day);

CREATE TABLE IF NOT EXISTS persons (id UUID, version UInt64, is_deleted UInt8, props JSON(max_dynamic_paths = 16), PRIMARY KEY (id))
ENGINE = ReplacingMergeTree(version, is_deleted);

CREATE TABLE IF NOT EXISTS sessions (id FixedString(16) NOT NULL, started DateTime NULL, sign Int8, `index` UInt32) ENGINE = CollapsingMergeTree(sign) ORDER BY tuple();
CREATE TABLE IF NOT EXISTS clicks (x UInt32, y UInt32, t DateTime TTL t + INTERVAL 1 DAY) ENGINE = SummingMergeTree((x, y)) ORDER BY t TTL t + toIntervalDay(7) GROUP BY t SET x = sum(x), y = max(y);
CREATE OR REPLACE TABLE lookup (code String, name String) ENGINE = EmbeddedRocksDB PRIMARY KEY (code);
CREATE TABLE IF NOT EXISTS lookup_copy ENGINE = MergeTree ORDER BY code AS SELECT * FROM lookup;
CREATE TABLE IF NOT EXISTS clone_of_hits CLONE AS totals;
CREATE TABLE IF NOT EXISTS numbers_copy AS numbers(10);
CREATE TEMPORARY TABLE scratch (a Int32, b Float64 DEFAULT a / 2);
REPLACE TABLE lookup (code String, name String, since Date32) ENGINE = MergeTree ORDER BY code;
ATTACH TABLE IF NOT EXISTS visits_local;

# Streams and views over them.
CREATE TABLE IF NOT EXISTS kafka_hits ON CLUSTER main (uuid UUID, event String, properties String, timestamp DateTime64(6, 'UTC'), team_id Int64)
ENGINE = Kafka SETTINGS kafka_broker_list = 'kafka:9092', kafka_topic_list = 'hits', kafka_group_name = 'clickhouse_hits', kafka_format = 'JSONEachRow', kafka_skip_broken_messages = 100;
CREATE TABLE IF NOT EXISTS visits_queue (id UInt64) ENGINE = Kafka('kafka:9092', 'visits', 'group1', 'Protobuf');
CREATE MATERIALIZED VIEW IF NOT EXISTS hits_mv ON CLUSTER main TO analytics.writable_hits AS
SELECT uuid, event, properties, timestamp, team_id, _timestamp, _offset FROM kafka_hits WHERE length(_raw_message) < 1000000;
CREATE MATERIALIZED VIEW IF NOT EXISTS totals_mv TO totals (day Date, team_id UInt32, hits UInt64) AS
WITH toDate(timestamp) AS d SELECT d AS day, team_id, count() AS hits FROM sharded_hits GROUP BY day, team_id;
CREATE MATERIALIZED VIEW IF NOT EXISTS daily ENGINE = SummingMergeTree ORDER BY day POPULATE AS SELECT day, sum(hits) AS hits FROM totals GROUP BY day;
CREATE MATERIALIZED VIEW IF NOT EXISTS refreshed REFRESH EVERY 1 HOUR OFFSET 5 MINUTE RANDOMIZE FOR 10 SECOND DEPENDS ON daily TO totals AS SELECT * FROM totals;
CREATE MATERIALIZED VIEW IF NOT EXISTS appended REFRESH AFTER 30 MINUTE APPEND TO totals EMPTY AS SELECT * FROM totals;
CREATE VIEW IF NOT EXISTS recent AS SELECT * FROM hits WHERE timestamp > now() - INTERVAL 1 DAY UNION ALL SELECT * FROM hits LIMIT 10;
CREATE OR REPLACE VIEW teams DEFINER = admin SQL SECURITY DEFINER AS (SELECT DISTINCT team_id FROM hits);
CREATE VIEW IF NOT EXISTS by_team AS SELECT * FROM hits WHERE team_id = {team:Int64};
CREATE DICTIONARY IF NOT EXISTS rates ON CLUSTER main (currency String, start Date, finish Date, rate Decimal64(10) DEFAULT 0 EXPRESSION rate * 2, parent UInt64 HIERARCHICAL)
PRIMARY KEY currency SOURCE(CLICKHOUSE(TABLE 'rates_source' DB 'analytics' PASSWORD 'x;y')) LIFETIME(MIN 3000 MAX 3600) LAYOUT(RANGE_HASHED(range_lookup_strategy 'max')) RANGE(MIN start MAX finish);
CREATE FUNCTION IF NOT EXISTS plus_one ON CLUSTER main AS (x) -> x + 1;

-- Columns.
ALTER TABLE analytics.sharded_hits ON CLUSTER main ADD COLUMN IF NOT EXISTS plan LowCardinality(Nullable(String)) DEFAULT NULL AFTER event;
ALTER TABLE analytics.hits ON CLUSTER main ADD COLUMN IF NOT EXISTS plan LowCardinality(Nullable(String)) DEFAULT NULL AFTER event;
ALTER TABLE sharded_hits ADD COLUMN IF NOT EXISTS region String FIRST, ADD COLUMN IF NOT EXISTS zip Nullable(String) CODEC(ZSTD(1)), ADD INDEX IF NOT EXISTS by_zip (zip, region) TYPE set(100) GRANULARITY 2;
ALTER TABLE sharded_hits MODIFY COLUMN IF EXISTS properties String CODEC(ZSTD(6)) TTL toDateTime(timestamp) + INTERVAL 1 YEAR;
ALTER TABLE sharded_hits MODIFY COLUMN status Enum8('new' = 1, 'old, or gone' = 2, 'kept' = 3) DEFAULT if(team_id = 1, 'new', 'kept') COMMENT 'state' FIRST;
ALTER TABLE sharded_hits ALTER COLUMN amount TYPE Nullable(Decimal(18, 4));
ALTER TABLE sharded_hits MODIFY COLUMN distinct_id REMOVE COMMENT, COMMENT COLUMN IF EXISTS event 'what', MODIFY COLUMN host MODIFY SETTING min_compress_block_size = 8192;
ALTER TABLE sharded_hits RENAME COLUMN IF EXISTS region TO area, CLEAR COLUMN IF EXISTS zip IN PARTITION 202601, DROP COLUMN IF EXISTS zip SETTINGS alter_sync = 2;
ALTER TABLE sharded_hits ADD COLUMN `elements.text` Array(String) AFTER `elements.tag_name`, DROP COLUMN elements.attributes;
ALTER TABLE totals ADD COLUMN IF NOT EXISTS bot UInt8, MODIFY ORDER BY (team_id, day, bot);
ALTER TABLE sharded_hits MATERIALIZE COLUMN host IN PARTITION '202601', MATERIALIZE TTL, MATERIALIZE INDEX by_host IN PARTITION ID '202601';
ALTER TABLE sharded_hits (ADD COLUMN c1 Int8), (DROP COLUMN c2);

-- Pieces, keys, settings.
ALTER TABLE sharded_hits ADD PROJECTION IF NOT EXISTS p1 (SELECT event, count() GROUP BY event), MATERIALIZE PROJECTION p1, DROP PROJECTION IF EXISTS p0, CLEAR PROJECTION p2 IN PARTITION 202512;
ALTER TABLE sharded_hits ADD CONSTRAINT IF NOT EXISTS c CHECK amount >= 0 AND team_id != 7, DROP CONSTRAINT IF EXISTS d, DROP INDEX IF EXISTS by_zip;
ALTER TABLE sharded_hits ADD STATISTICS IF NOT EXISTS team_id, event TYPE tdigest, uniq;
ALTER TABLE sharded_hits MODIFY TTL toDateTime(timestamp) + INTERVAL 1 YEAR SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE sharded_hits REMOVE TTL, MODIFY COMMENT 'x', MODIFY SETTING max_parts_in_total = 10000, merge_with_ttl_timeout = 3600;
ALTER TABLE sharded_hits RESET SETTING max_part_loading_threads, merge_with_ttl_timeout;
ALTER TABLE totals_mv MODIFY QUERY SELECT toDate(timestamp) AS day, team_id, count() AS hits FROM sharded_hits GROUP BY day, team_id SETTINGS max_threads = 1;

-- Rows and partitions.
ALTER TABLE sharded_hits ON CLUSTER main UPDATE event = 'a', properties = concat(properties, '}') IN PARTITION 202601 WHERE team_id IN (1, 2) AND event = 'A' SETTINGS mutations_sync = 2;
ALTER TABLE sharded_hits DELETE WHERE team_id = 5, UPDATE team_id = 6 WHERE team_id = 7;
ALTER TABLE sharded_hits DROP PARTITION 202501, DETACH PARTITION ('2025-01-01', 3), ATTACH PART 'all_1_2_0';
ALTER TABLE sharded_hits REPLACE PARTITION 202601 FROM hits_new, MOVE PARTITION 202602 TO TABLE hits_old, MOVE PART 'x' TO VOLUME 'cold', DROP DETACHED PARTITION ALL SETTINGS allow_drop_detached = 1;
ALTER TABLE sharded_hits FREEZE PARTITION 202601 WITH NAME 'before', FETCH PARTITION 202601 FROM '/clickhouse/tables/01/hits', APPLY DELETED MASK;
DELETE FROM sharded_hits ON CLUSTER main IN PARTITION 202601 WHERE team_id = 3;
UPDATE sharded_hits SET event = 'b' WHERE event = 'a';
INSERT INTO totals (day, team_id, hits) SELECT toDate(timestamp), team_id, 1 FROM sharded_hits SETTINGS max_insert_threads = 4;
INSERT INTO lookup (code, name) VALUES ('a;', 'it''s'), ('b', 'c\'d');
OPTIMIZE TABLE sharded_hits ON CLUSTER main PARTITION 202601 FINAL DEDUPLICATE BY team_id, uuid;

-- Whole tables.
CREATE TABLE IF NOT EXISTS hits_new AS sharded_hits;
EXCHANGE TABLES analytics.hits_new AND analytics.sharded_hits ON CLUSTER main;
RENAME TABLE hits_new TO hits_old, hits_mv TO hits_old_mv ON CLUSTER main;
EXCHANGE DICTIONARIES rates AND rates_new;
DETACH TABLE IF EXISTS hits_old ON CLUSTER main PERMANENTLY SYNC;
DROP TABLE IF EXISTS analytics.hits_old ON CLUSTER main SYNC SETTINGS max_table_size_to_drop = 0;
DROP VIEW IF EXISTS hits_old_mv ON CLUSTER '{cluster}' NO DELAY;
DROP DICTIONARY IF EXISTS rates_new;
DROP TABLE a, b, c;
DROP FUNCTION IF EXISTS plus_one;
TRUNCATE TABLE IF EXISTS totals ON CLUSTER main;
TRUNCATE ALL TABLES FROM scratch_db;
DROP DATABASE IF EXISTS analytics_old ON CLUSTER main SYNC;
SYSTEM SYNC REPLICA analytics.sharded_hits STRICT;
SYSTEM RELOAD DICTIONARY rates;
KILL MUTATION WHERE table = 'sharded_hits' AND NOT is_done;
GRANT SELECT ON analytics.* TO reader;
CREATE USER IF NOT EXISTS reader IDENTIFIED WITH sha256_password BY 'x' SETTINGS readonly = 1;
SELECT $heredoc$ it's; $heredoc$, 'a' /* nested /* comment */ ; */ FROM system.one FORMAT Null;
