"""The simulated reader's LLRP side: `server` and `client` (one at a time), `capabilities`, `rospecs`,
`tag_reports`, `parameters` (building and taking apart), `faults` (what can be made to go wrong)."""
