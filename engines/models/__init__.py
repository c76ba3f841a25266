"""Network definitions in PyTorch (extra `train`); never needed where only exported nets run."""
