"""Everything that ``evalkit run`` needs to be told, declared, read and joined."""
