"""Who is on the floor, and where: tracks of several cameras become persons, persons become visitors.

identity        tracks of all cameras into persons: one person is one of them
global_track    one person as all cameras see them: which tracks show them
matching        who a waiting track is: odds of every person against a stranger
revision        which tracks to part from a person again, which persons to join
links           who turns up before a camera against everybody out of sight
looks           what is known of how a person looks, and what likeness is worth
transit         how long people walk from one area to another, learned
agreement       do tracks that are taken for one person show one, do two persons walk as one
arrivals        where somebody new may turn up
reassociation   how likely a new track is a person who was seen before
id_switches     people who pass each other and are taken for one another
probation       new tracks that might be somebody known, until it is decided
motion          the last seconds of one person
paths           where each person was in the last minute
visitors        anonymous visitor ids that change at local midnight
"""
