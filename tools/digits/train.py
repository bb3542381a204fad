"""Trains the network of the digits example, once. Needs scikit-learn 1.9.1; writes fixtures/digits.

    python3 tools/digits/train.py fixtures/digits

The data are the test part of the UCI set "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998,
CC BY 4.0), which scikit-learn bundles: 1797 images of 8 x 8 pixels with 17 levels. A shuffled 70 percent trains, the
rest judges. All numbers are little-endian; weights are 32-bit floats: 256 rows of 64, 256 biases, 10 rows of 256, 10
biases.
"""
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

folder = Path(sys.argv[1])
images, labels = load_digits(return_X_y=True)
train_images, test_images, train_labels, test_labels = train_test_split(
    images, labels, test_size=0.3, random_state=0, stratify=labels
)
network = MLPClassifier(hidden_layer_sizes=(256,), random_state=0, max_iter=400).fit(train_images / 16, train_labels)
print("accuracy on the test images:", network.score(test_images / 16, test_labels))

first, second = network.coefs_
arrays = [first.T, network.intercepts_[0], second.T, network.intercepts_[1]]
(folder / "weights.f32").write_bytes(b"".join(array.astype("<f4").tobytes() for array in arrays))
(folder / "images.u8").write_bytes(test_images.astype(np.uint8).tobytes())
(folder / "labels.u8").write_bytes(test_labels.astype(np.uint8).tobytes())
