"""A performance run from its config to its folder: engines that send queries, starts of servers, cells that stay."""
