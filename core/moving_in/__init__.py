"""Moving in from the product that this one replaces: its tables are read, ours get what is theirs.

`moving` has the whole way in one transaction, `source` reads the old tables, and each noun has its
file. Rows are streamed from there into temporary tables of our database, a row cleaned at a time,
and from those into ours by one statement each: what is in memory doesn't grow with what there is.
"""
