"""The guide screen of a mall: which shops' coupons to show first.

`coupons` reads the list, `ranking` orders it by what others redeemed, the shops' heat and conversion and the
coupon's value, `shops` asks the warehouse for those, `pages` shows it. Who stands before the screen has no
part in it: the attribute term is there and off.
"""
