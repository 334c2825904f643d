"""Synthetic study tables that keep the average treatment effect: tables in, tables out."""
