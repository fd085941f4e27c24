"""What ``import evalkit`` gives: a run, its figures as tables, and comparisons of scores from elsewhere."""
