"""A real Trino for tests, over servers on this machine that speak AWS Glue and S3.

It comes from Maven Central into the user's cache, once, and needs a Java from 24 on. Where there is
none, tests use the answers that Trino gave: `python -m trino_server record` asks for them again.
"""
