"""Who is on the floor, and where: tracks of several cameras become persons, persons become visitors.

identity        tracks of all cameras into persons: one person is one of them
global_track    one person as all cameras see them: which tracks show them
agreement       do tracks that are taken for one person show one, do two persons walk as one
arrivals        where somebody new may turn up
reassociation   how likely a new track is a person who was seen before
id_switches     people who pass each other and are taken for one another
probation       new tracks that might be somebody known, until it is decided
motion          the last seconds of one person
paths           where each person was in the last minute
visitors        anonymous visitor ids that change at local midnight
"""
