"""Pages of the warehouse for a retailer, in one design with the box's own: a thin dress over the questions.

app        the pages, put together: who may see which stores
sign_in    a user of fleet.yaml signs in with their token
asked      which store and which days a page is about, and the questions put for it
figures    rows of answers become what a page shows
floor      zones, heat and ways on the shop's plan
coming     the forecast of a day, from its file

No page asks the warehouse anything that `tagsight fleet answers` would not answer.
"""
