"""The floor that a camera sees: points measured by mouse or typed, fitted, judged and drawn.

point_pairs   pairs of picture and floor points, typed or from a file
clicking      the same by mouse, on a web page of this machine
fit           the homography, robustly, with its error in centimetres
warnings      what is wrong with where the points lie
report        the result in words and as a section of store.yaml
drawing       the floor's metres over the picture
command       `tagsight calibrate floor`
"""
