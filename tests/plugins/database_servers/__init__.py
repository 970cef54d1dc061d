"""Servers that speak MongoDB's protocol, for tests and benchmarks: started once, shared, ended.

`java` is mongo-java-server, the one for nearly everything; `ferret` is FerretDB on a PostgreSQL of
its own, the one that may be killed: what it acknowledged is there again when it is back. Both are
built from the sources beside this file into the user's cache, once.
"""
