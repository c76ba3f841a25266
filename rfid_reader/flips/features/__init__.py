"""What a detector looks at: reads freed of what stays, and what each tag does beside its rack's others."""
