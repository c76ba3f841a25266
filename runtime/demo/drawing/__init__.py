"""What a demo leaves to look at: the annotated film, and the floor with paths and heat."""
