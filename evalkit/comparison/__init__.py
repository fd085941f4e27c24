"""Two models' answers become scores, pairs, a comparison and a verdict."""
