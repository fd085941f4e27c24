"""What a query of a model takes and costs: uses, cells, when a cell counts, how far two starts differ, tables. Pure."""
