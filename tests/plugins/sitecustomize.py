"""Runs when any Python that a test starts starts: lets the listener see what its clients send."""

import os

if "MATCAMPAIGN_TEST_OBJECTIONS" in os.environ:
    import documentdb_listener

    documentdb_listener.register()
