"""From a source into the ring: `thread` reads and writes, `scaling` makes frames fit, `watch` notices a black
or frozen picture."""
