"""Fakes and rigs that bench and tests share; part of the checkout, not of what is installed.

`testing.rig` is the surface for trials: a `Device` that says N events and stops, a `Cloud` that keeps and
audits them, both in this process; `Plaza` and `Receive`, the real daemon and the real receiver as
processes; a broker; kill points; a publisher at wire level. Names and signatures there stay.
"""
