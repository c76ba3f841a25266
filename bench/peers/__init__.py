"""What a user would write otherwise: loops made of the usual packages, to compare ours with."""
