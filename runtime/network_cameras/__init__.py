"""Cameras that speak ONVIF: which are in this network (`finding`), and what streams one has (`probing`)."""
