"""A load test: shops made up, their events run through the warehouse, every answer checked.

shop       what happens in one made-up shop, as facts and sales
arrivals   how that arrives: late, twice, out of order, from a replaced box
oracle     the same answers from the raw lines alone; shares nothing with how they are taken in
compare    where two answers differ
run        one command that does it all and says how fast
"""
