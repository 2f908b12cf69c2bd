-- Where the database has TimescaleDB, what grows with time lies in chunks of a week. Signals are few, and their key is the
-- id alone, which a hypertable would not allow.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    PERFORM create_hypertable('bars_ohlcv', 'start_ns', chunk_time_interval => 604800000000000, migrate_data => true);
    PERFORM create_hypertable('features', 'start_ns', chunk_time_interval => 604800000000000, migrate_data => true);
  END IF;
END
$$;
