-- What a person reads who browses the views in a file; a lake has no such comments.
COMMENT ON COLUMN audit.current_versions.asset IS 'What was made.';
COMMENT ON COLUMN audit.current_versions.kind IS 'table, model or document.';
COMMENT ON COLUMN audit.current_versions.data_version IS 'SHA-256 of the content.';
COMMENT ON COLUMN audit.current_versions.n_rows IS 'Rows of a table; null for models and documents.';
COMMENT ON COLUMN audit.current_versions.recorded_at IS 'When the entry was written, UTC.';
COMMENT ON COLUMN audit.current_versions.run_id IS 'Run of the orchestrator.';
COMMENT ON COLUMN audit.current_versions.sequence IS 'Position in audit.log.';
COMMENT ON COLUMN audit.lineage.sequence IS 'Position in audit.log.';
COMMENT ON COLUMN audit.lineage.asset IS 'What was made.';
COMMENT ON COLUMN audit.lineage.data_version IS 'SHA-256 of what was made.';
COMMENT ON COLUMN audit.lineage.upstream_asset IS 'What it was made from.';
COMMENT ON COLUMN audit.lineage.upstream_version IS 'SHA-256 of what it was made from, as read.';
