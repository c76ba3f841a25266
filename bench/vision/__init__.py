"""Networks, trackers and what follows of them, against labelled clips, other networks and known truths."""
