"""A search for better settings of a recipe: trials on a cluster, then one full training."""
