"""The technician's tools: measure a camera, the floor it sees, the antennas of a quiet store, and the clocks.

floor         pairs of picture and floor points into a homography, with its error and what is wrong with it
antenna       dead, swapped, misaimed and loud antennas, from reads of the quiet store
flips         garments turned on request set the store's own threshold
camera        what a camera delivers, watched for a while
clock         what the machine knows of the time
recording     reads from a reader or a file, for those that need some
store_plan    what store.yaml says of racks and antennas
which_reader  which reader of store.yaml is meant
cli           `tagsight calibrate`
"""
