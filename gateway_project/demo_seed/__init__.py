"""Who and what `tallygate seed-demo` fills a database with: the cast, its calls of sixty days, and the budgets that fit them.

`cast` and `routes` are data; `traffic`, `sessions` and `faults` decide what was called, from a seed; `rows` and `entries` write it.
"""
