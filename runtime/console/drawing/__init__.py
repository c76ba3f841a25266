"""Drawing the shop in the browser: store.yaml as the page edits it, and as it is written again.

`document` puts what was drawn into the text and keeps its comments, `store_file` writes it whole, keeps the
versions before it and notices somebody else's, `judging` says what is wrong and where on the drawing,
`floor_picture` takes a picture of the floor.
"""
