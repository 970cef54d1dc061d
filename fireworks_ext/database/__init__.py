"""Databases: connections, passwords, what is asked again in an outage, indexes."""
