"""Queries over the published tables, in Athena's SQL, answered by DuckDB.

A query is parsed with sqlglot and compiled node by node into DuckDB's SQL. Only what is known to
give Athena's answer is compiled; anything else is refused with a hint. There is no fall-back, so
an answer is never silently another one. The reference for what Athena answers is the
documentation of Trino, on which its engine version 3 is built: https://trino.io/docs/current/
"""
