"""Full runs: named recipes, their stages, and the `train` command."""
