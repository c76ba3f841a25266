"""What systemd and the log are told.

readiness  which processes are up, and which lack what they need (pure)
status     when to say READY, STATUS and WATCHDOG
notify     sd_notify(3)
journal    log records for the journal, one entry a record
"""
