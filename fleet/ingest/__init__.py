"""What comes in becomes typed rows.

records    what shops' other systems hand in: sales, stock lists, plans
columns    the columns of every kind, taken from the structs of its events
calendar   local day and hour by a shop's time zone
rows       one line of JSON becomes one row, and the rows that hang on it
sources    where lines come from: the consumer's store, files
consumer   takes events off a broker: each once, acknowledged, with an account of what is missing
"""
