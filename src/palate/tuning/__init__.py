"""A pretrained network and the small part of it that learns: methods, bottlenecks, saving and loading."""
