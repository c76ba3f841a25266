"""What trains the flip detectors, on generated stores only; not installed with the product.

python -m rfid_reader.training.activity --cache /tmp/flips    # the network of moments
python -m rfid_reader.training.course --cache /tmp/flips      # the network of courses (extra `train`)
python -m rfid_reader.training.windows --cache /tmp/flips     # the decisions of js and raw
"""
