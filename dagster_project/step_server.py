"""What step processes are forked from: imported once, with every study's job resolved."""

from dagster_project.study_run import studies

studies()
