"""The simulated radio: the `channel` between antenna and tags, channel plans (`hopping`) and Gen2 inventory
rounds (`inventory`)."""
