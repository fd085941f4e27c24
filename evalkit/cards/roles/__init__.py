"""What the tables of a card mean: roles of columns and rows; claims of its sentences."""
