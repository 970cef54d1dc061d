"""Publication of results: typed Parquet tables in a folder, swapped in whole."""
