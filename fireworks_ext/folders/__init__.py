"""Stages that travel as files: handed over, claimed, carried out without a database."""
