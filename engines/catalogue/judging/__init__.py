"""Whether a network of the user's finds persons, and how it is to be fed and read: found out by trying it.

A network's shapes do not say what its numbers mean. So it is run on an image whose persons are known, fed
and read in every way that its shapes allow; the way that finds the persons is kept in its recipe, and what
finds them in no way is refused, in one sentence that says what to export instead. A network is a program of
somebody else's: before it runs, the memory it asks for is added up, and it runs in a process of its own with
limits.

    verdict = judge(Task(file, "openvino", Recipe()))
    verdict.accepted, verdict.decoder, verdict.persons_found, verdict.persons_there, verdict.reason

`tagsight engines add` keeps the recipe in the manifest. A file that is named instead of an engine is judged
when it is opened (`judged`), and the verdict is kept by the file's SHA-256.
"""

from engines.catalogue.judging.image import persons_there
from engines.catalogue.judging.process import LIMIT_S, judge, judged
from engines.catalogue.judging.task import NetworkRefused, NetworkVerdict, Task

__all__ = ["LIMIT_S", "NetworkRefused", "NetworkVerdict", "Task", "judge", "judged", "persons_there"]
