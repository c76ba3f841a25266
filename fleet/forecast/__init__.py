"""Footfall 90 days ahead, hour by hour: for rosters and stock.

`series` holds hourly counts and tells zeros from outages, `calendar` what is known of days to come, `models`
has the interface and the medians, `features` and `boosted` the trees on the residual to them, `wide_deep` a
net on that residual (torch), `blend` both together, `bands` makes ranges honest, `floor` says what no
forecast can do better, `run` forecasts every entrance, `files` reads a warehouse and writes Parquet.
"""
