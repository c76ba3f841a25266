"""The technician's tools: measure a camera, the floor it sees, a quiet rack and the clocks.

`floor_fit` turns pairs of picture and floor points into a homography and says how good it is,
`floor_warnings` says what is wrong with where the points lie, `floor_drawing` draws the floor's metres over
the picture, `clicking` asks for points on a local web page and `point_pairs` reads typed ones.
`camera_report` watches a source for a while, `clock_report` asks the machine about its time. `cli` puts them
behind `tagsight calibrate`.
"""
