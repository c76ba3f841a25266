"""What networks trained on ImageNet expect of pixels (0..255): (value - mean) / deviation of each channel."""

IMAGENET_MEAN_BGR = (103.53, 116.28, 123.675)
IMAGENET_STD_BGR = (57.375, 57.12, 58.395)
