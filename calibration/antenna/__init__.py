"""Antennas of a quiet store: what each reads, what is wrong, in which order garments hang.

findings     dead, swapped, misaimed, loud, weaker than before
rack_order   which tags hang on which rack, and in which order
drawing      maps of antennas and tags
report       the page for the technician
command      `tagsight calibrate antenna`
"""
