"""Result files: rows, comparison, page; knows nothing of how anything was played."""
