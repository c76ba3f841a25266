"""How well networks do on labelled images: the images, published networks that label more, the measures.

Training and `tagsight bench engines` measure with the same code; nothing here needs torch.
"""
