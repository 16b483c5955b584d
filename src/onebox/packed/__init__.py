"""Shards: files that hold many encoded images, as WebDataset tars and Parquet files do."""
