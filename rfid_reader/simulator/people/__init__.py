"""People on the simulated floor: where they are (`crowd`), who comes by (`browsers`), their arms, and who
handles which garment when (`handling`)."""
