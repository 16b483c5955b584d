"""Prediction on a Ray cluster: sources → a plan of shards → one Parquet file for each."""
