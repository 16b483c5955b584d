"""The same training several times: with other seeds, or for each fold of a cross-validation."""
