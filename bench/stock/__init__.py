"""Stock events on simulated stores: garments that are moved, carried about, sold and delivered."""
