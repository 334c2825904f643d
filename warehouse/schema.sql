-- What a study's database holds beside its tables: who made what, from what, with which code and
-- seed. The tables themselves are in the schema main, one per asset ("gan/x" is main.gan__x).
-- Portable: no CHECK and no comments on columns of views, which a lake has not.
-- Safe to apply again: it creates what is missing and refreshes views and comments.

CREATE SCHEMA IF NOT EXISTS audit;

-- No keys or indexes: a single writer fills the tables, and the hash chain is the constraint.
CREATE TABLE IF NOT EXISTS audit.log (
    sequence      BIGINT    NOT NULL,
    recorded_at   TIMESTAMP NOT NULL,
    run_id        VARCHAR   NOT NULL,
    asset         VARCHAR   NOT NULL,
    kind          VARCHAR   NOT NULL,
    data_version  VARCHAR   NOT NULL,
    code_version  VARCHAR   NOT NULL,
    study_hash    VARCHAR   NOT NULL,
    random_seed   BIGINT    NOT NULL,
    upstream      JSON      NOT NULL,
    n_rows        BIGINT,
    started_at    TIMESTAMP NOT NULL,
    seconds       DOUBLE    NOT NULL,
    user_name     VARCHAR   NOT NULL,
    previous_hash VARCHAR   NOT NULL,
    entry_hash    VARCHAR   NOT NULL
);
COMMENT ON TABLE audit.log IS 'Append-only, hash-chained: one row per materialization, never updated or deleted.';
COMMENT ON COLUMN audit.log.sequence IS 'Position in the log: 1, 2, 3, ... without gaps.';
COMMENT ON COLUMN audit.log.recorded_at IS 'When the entry was written, UTC.';
COMMENT ON COLUMN audit.log.run_id IS 'Run of the orchestrator.';
COMMENT ON COLUMN audit.log.asset IS 'What was made, such as seed_table or gan/hybrid_triplets.';
COMMENT ON COLUMN audit.log.kind IS 'table (in schema main), model (folder under models/) or document (file under reports/, release folder, or rows of another audit table).';
COMMENT ON COLUMN audit.log.data_version IS 'SHA-256 of the content.';
COMMENT ON COLUMN audit.log.code_version IS 'Version of the code that made it.';
COMMENT ON COLUMN audit.log.study_hash IS 'Hash of the study file that it was made under.';
COMMENT ON COLUMN audit.log.random_seed IS 'Seed of the run.';
COMMENT ON COLUMN audit.log.upstream IS 'JSON object: upstream asset -> the data version that was read.';
COMMENT ON COLUMN audit.log.n_rows IS 'Rows of a table; null for models and documents.';
COMMENT ON COLUMN audit.log.started_at IS 'When the computation started, UTC.';
COMMENT ON COLUMN audit.log.seconds IS 'Duration of the computation, seconds.';
COMMENT ON COLUMN audit.log.user_name IS 'Who started the run.';
COMMENT ON COLUMN audit.log.previous_hash IS 'entry_hash of the entry before; 64 zeros for the first.';
COMMENT ON COLUMN audit.log.entry_hash IS 'SHA-256 of this row as canonical JSON, previous_hash included.';

CREATE TABLE IF NOT EXISTS audit.chain_end (
    n_entries  BIGINT  NOT NULL,
    entry_hash VARCHAR NOT NULL
);
INSERT INTO audit.chain_end
SELECT 0, repeat('0', 64) WHERE NOT EXISTS (SELECT 1 FROM audit.chain_end);
COMMENT ON TABLE audit.chain_end IS 'One row: where the log ends, so that entries missing at its end are noticed.';
COMMENT ON COLUMN audit.chain_end.n_entries IS 'Number of entries ever written.';
COMMENT ON COLUMN audit.chain_end.entry_hash IS 'entry_hash of the last entry; 64 zeros before the first.';

CREATE TABLE IF NOT EXISTS audit.current_model (
    asset   VARCHAR NOT NULL,
    sha256  VARCHAR NOT NULL,
    n_bytes BIGINT  NOT NULL,
    n_files BIGINT  NOT NULL
);
COMMENT ON TABLE audit.current_model IS 'The fitted model that each model asset stands for now.';
COMMENT ON COLUMN audit.current_model.asset IS 'Model asset, such as outcome_model or gan/fitted_generator.';
COMMENT ON COLUMN audit.current_model.sha256 IS 'Name of the folder under models/ that holds it.';
COMMENT ON COLUMN audit.current_model.n_bytes IS 'Size of its files, bytes.';
COMMENT ON COLUMN audit.current_model.n_files IS 'Number of its files, the manifest not counted.';

-- Rows sealed by a log entry of kind document: its data_version is the hash of the rows with its
-- sequence, without that column, so that no row can be altered, added or removed unseen.
CREATE TABLE IF NOT EXISTS audit.check_result (
    sequence        BIGINT  NOT NULL,
    asset           VARCHAR NOT NULL,
    checked_version VARCHAR NOT NULL,
    check_name      VARCHAR NOT NULL,
    passed          BOOLEAN NOT NULL,
    severity        VARCHAR NOT NULL
);
COMMENT ON TABLE audit.check_result IS 'How each check of each version ended.';
COMMENT ON COLUMN audit.check_result.sequence IS 'Log entry that seals the row.';
COMMENT ON COLUMN audit.check_result.asset IS 'What was checked.';
COMMENT ON COLUMN audit.check_result.checked_version IS 'Its data version when it was checked.';
COMMENT ON COLUMN audit.check_result.check_name IS 'Which check.';
COMMENT ON COLUMN audit.check_result.passed IS 'Whether it passed.';
COMMENT ON COLUMN audit.check_result.severity IS 'blocking, error or warning: what a failure means.';

CREATE TABLE IF NOT EXISTS audit.subject (
    sequence       BIGINT  NOT NULL,
    seed_version   VARCHAR NOT NULL,
    splits_version VARCHAR NOT NULL,
    identified_by  VARCHAR NOT NULL,
    part           VARCHAR NOT NULL,
    digest         VARCHAR NOT NULL
);
COMMENT ON TABLE audit.subject IS 'Whose rows each version of the seed held, as keyed hashes: a person can be traced who is no longer in it.';
COMMENT ON COLUMN audit.subject.sequence IS 'Log entry that seals the row.';
COMMENT ON COLUMN audit.subject.seed_version IS 'Data version of seed_table.';
COMMENT ON COLUMN audit.subject.splits_version IS 'Data version of splits.';
COMMENT ON COLUMN audit.subject.identified_by IS 'JSON list of [column, number, date or text]: what is hashed.';
COMMENT ON COLUMN audit.subject.part IS 'train or holdout; key in the row that names the key of the digests, not drawn in the one that counts the people in neither part.';
COMMENT ON COLUMN audit.subject.digest IS 'HMAC of the row''s identifying values under the key of the home; sorted, so that row order is not told.';

CREATE OR REPLACE VIEW audit.current_versions AS
SELECT asset, kind, data_version, n_rows, recorded_at, run_id, sequence
FROM audit.log
QUALIFY row_number() OVER (PARTITION BY asset, kind ORDER BY sequence DESC) = 1;
COMMENT ON VIEW audit.current_versions IS 'The latest log entry of each asset.';

CREATE OR REPLACE VIEW audit.lineage AS
SELECT sequence, asset, data_version, link.key AS upstream_asset, link.value AS upstream_version
FROM (
    SELECT sequence, asset, data_version,
           unnest(map_entries(from_json(upstream, '"MAP(VARCHAR, VARCHAR)"'))) AS link
    FROM audit.log
);
COMMENT ON VIEW audit.lineage IS 'One row per log entry and upstream asset: which version was made from which.';
