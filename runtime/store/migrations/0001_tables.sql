-- What docs/stores.md describes. Times are nanoseconds since 1970 in UTC (_ns), because TIMESTAMPTZ keeps microseconds; the
-- columns named _time are derived from them, for people. Texts sort by their bytes, as the other stores sort them.
CREATE TABLE bars_ohlcv (
  provider     TEXT COLLATE "C" NOT NULL,
  symbol       TEXT COLLATE "C" NOT NULL,
  interval_ns  BIGINT           NOT NULL,
  start_ns     BIGINT           NOT NULL,
  end_ns       BIGINT           NOT NULL,
  open         NUMERIC(38, 9)   NOT NULL,
  high         NUMERIC(38, 9)   NOT NULL,
  low          NUMERIC(38, 9)   NOT NULL,
  close        NUMERIC(38, 9)   NOT NULL,
  volume       NUMERIC(38, 9)   NOT NULL,
  vwap         NUMERIC(38, 9),
  trades       NUMERIC(20, 0)   NOT NULL,
  first_ns     BIGINT           NOT NULL,
  last_ns      BIGINT           NOT NULL,
  revision     BIGINT           NOT NULL,
  state        TEXT COLLATE "C" NOT NULL,
  coverage     NUMERIC(38, 9)   NOT NULL,
  flags        BIGINT           NOT NULL,
  reason       TEXT COLLATE "C" NOT NULL,
  first_offset NUMERIC(20, 0)   NOT NULL,
  last_offset  NUMERIC(20, 0)   NOT NULL,
  schema_hash  TEXT COLLATE "C" NOT NULL,
  config_hash  TEXT COLLATE "C" NOT NULL,
  notional     NUMERIC(57, 18)  NOT NULL,
  start_time   TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp((start_ns / 1000)::float8 / 1e6)) STORED,
  PRIMARY KEY (interval_ns, symbol, provider, start_ns)
);
CREATE INDEX bars_ohlcv_by_time ON bars_ohlcv (start_ns);

CREATE TABLE features (
  provider        TEXT COLLATE "C" NOT NULL,
  symbol          TEXT COLLATE "C" NOT NULL,
  interval_ns     BIGINT           NOT NULL,
  start_ns        BIGINT           NOT NULL,
  end_ns          BIGINT           NOT NULL,
  close           NUMERIC(38, 9)   NOT NULL,
  revision        BIGINT           NOT NULL,
  inputs_revision BIGINT           NOT NULL,
  first_offset    NUMERIC(20, 0)   NOT NULL,
  last_offset     NUMERIC(20, 0)   NOT NULL,
  feature_list    JSONB            NOT NULL,
  schema_hash     TEXT COLLATE "C" NOT NULL,
  config_hash     TEXT COLLATE "C" NOT NULL,
  end_time        TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp((end_ns / 1000)::float8 / 1e6)) STORED,
  PRIMARY KEY (interval_ns, symbol, provider, start_ns)
);
CREATE INDEX features_by_time ON features (start_ns);

-- One row a value, for people.
CREATE VIEW feature_values AS
  SELECT f.provider, f.symbol, f.interval_ns, f.start_ns, f.end_ns, f.end_time, f.revision,
         x ->> 'name' AS name, (x ->> 'value')::float8 AS value, (x ->> 'exact')::numeric AS exact,
         (x ->> 'n')::numeric AS n, (x ->> 'warm')::boolean AS warm, (x ->> 'flat')::boolean AS flat
  FROM features f, jsonb_array_elements(f.feature_list) AS x;

CREATE TABLE signals (
  ver          BIGINT           NOT NULL,
  signal_id    TEXT COLLATE "C" PRIMARY KEY,
  provider     TEXT COLLATE "C" NOT NULL,
  symbol       TEXT COLLATE "C" NOT NULL,
  ts_ns        BIGINT           NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  value        DOUBLE PRECISION NOT NULL,
  score        DOUBLE PRECISION NOT NULL,
  adapter      TEXT COLLATE "C" NOT NULL,
  maker_hash   TEXT COLLATE "C" NOT NULL,
  interval_ns  BIGINT           NOT NULL,
  bar_start_ns BIGINT           NOT NULL,
  bar_revision BIGINT           NOT NULL,
  inputs_start_ns BIGINT        NOT NULL,
  close        NUMERIC(38, 9)   NOT NULL,
  inputs       JSONB            NOT NULL,
  first_offset NUMERIC(20, 0)   NOT NULL,
  last_offset  NUMERIC(20, 0)   NOT NULL,
  schema_hash  TEXT COLLATE "C" NOT NULL,
  config_hash  TEXT COLLATE "C" NOT NULL,
  ts_time      TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp((ts_ns / 1000)::float8 / 1e6)) STORED
);
CREATE INDEX signals_by_series ON signals (symbol, provider, ts_ns);
CREATE INDEX signals_by_time ON signals (ts_ns);

CREATE TABLE job_runs (
  id           TEXT COLLATE "C" PRIMARY KEY,
  kind         TEXT COLLATE "C" NOT NULL,
  started_ns   BIGINT           NOT NULL,
  ended_ns     BIGINT,
  row_count    NUMERIC(20, 0)   NOT NULL,
  status       TEXT COLLATE "C" NOT NULL,
  config_hash  TEXT COLLATE "C" NOT NULL,
  detail       TEXT COLLATE "C" NOT NULL,
  started_time TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp((started_ns / 1000)::float8 / 1e6)) STORED,
  ended_time   TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp((ended_ns / 1000)::float8 / 1e6)) STORED
);

CREATE TABLE dead_letters (
  epoch           NUMERIC(20, 0)   NOT NULL,
  topic           TEXT COLLATE "C" NOT NULL,
  partition       INTEGER          NOT NULL,
  log_offset      NUMERIC(20, 0)   NOT NULL,
  feed            TEXT COLLATE "C" NOT NULL,
  stage           TEXT COLLATE "C" NOT NULL,
  code            TEXT COLLATE "C" NOT NULL,
  reason          TEXT COLLATE "C" NOT NULL,
  first_seen_ns   BIGINT           NOT NULL,
  last_seen_ns    BIGINT           NOT NULL,
  attempts        BIGINT           NOT NULL,
  bytes           BYTEA            NOT NULL,
  last_seen_time  TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp((last_seen_ns / 1000)::float8 / 1e6)) STORED,
  PRIMARY KEY (epoch, topic, partition, log_offset)
);

-- Everything before next_offset is in the tables above: written in the same transaction.
CREATE TABLE finstream_positions (
  epoch       NUMERIC(20, 0)   NOT NULL,
  topic       TEXT COLLATE "C" NOT NULL,
  partition   INTEGER          NOT NULL,
  next_offset NUMERIC(20, 0)   NOT NULL,
  updated     TIMESTAMPTZ      NOT NULL DEFAULT now(),
  PRIMARY KEY (epoch, topic, partition)
);
