"""Which visitor handled which garment.

matching       which person turned which tag
interactions   flips that wait to be matched
tryon          tags in fitting rooms
stock          where tags are: arrived, moved, departed
"""
