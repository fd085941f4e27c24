"""What the figures of a card must be by each other: figures in, expectations and findings out."""
