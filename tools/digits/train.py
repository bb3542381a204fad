"""Trains the network of the example `digits` of briq-kernels, and writes it and its test images as GGUF files.

    pip install numpy==2.4.6 scikit-learn==1.9.1 gguf==0.19.0
    python tools/digits/train.py fixtures/digits

The data are the 1797 handwritten digits of 8 × 8 pixels that come with scikit-learn: the first half trains, the
second half tests. A pixel of 0 to 16 becomes four inputs, how far it reaches into each quarter of its range, so
that a row of weights is 256 long, one block of the K types.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from sklearn.datasets import load_digits

HIDDEN, EPOCHS, BATCH = 256, 60, 32
LEARNING_RATE, DECAY = 1e-3, 1e-2


def inputs(images):
    """[n, 64] pixels to [n, 256] inputs from 0 to 1; input 4 p + q is quarter q of pixel p."""
    quarters = np.arange(4) * 4.0
    return np.clip((images[:, :, None] - quarters) / 4.0, 0.0, 1.0).reshape(len(images), -1)


def train(images, labels, random):
    """Two layers with a ReLU between them, by AdamW on the cross-entropy."""
    x, truth = inputs(images), np.eye(10)[labels]
    shapes = {"hidden": (HIDDEN, x.shape[1]), "output": (10, HIDDEN)}
    parameters = {}
    for layer, shape in shapes.items():
        parameters[f"{layer}.weight"] = random.normal(0.0, np.sqrt(2.0 / shape[1]), shape)
        parameters[f"{layer}.bias"] = np.zeros(shape[0])
    first = {name: np.zeros_like(value) for name, value in parameters.items()}
    second = {name: np.zeros_like(value) for name, value in parameters.items()}
    step = 0
    for _ in range(EPOCHS):
        order = random.permutation(len(x))
        for batch in np.array_split(order, len(x) // BATCH):
            step += 1
            for name, gradient in gradients(parameters, x[batch], truth[batch]).items():
                first[name] = 0.9 * first[name] + 0.1 * gradient
                second[name] = 0.999 * second[name] + 0.001 * gradient**2
                mean, square = first[name] / (1 - 0.9**step), second[name] / (1 - 0.999**step)
                decay = DECAY * parameters[name]
                parameters[name] -= LEARNING_RATE * (mean / (np.sqrt(square) + 1e-8) + decay)
    return {name: value.astype(np.float32) for name, value in parameters.items()}


def gradients(parameters, x, truth):
    hidden = np.maximum(x @ parameters["hidden.weight"].T + parameters["hidden.bias"], 0.0)
    logits = hidden @ parameters["output.weight"].T + parameters["output.bias"]
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    wrong = (chances - truth) / len(x)
    back = (wrong @ parameters["output.weight"]) * (hidden > 0.0)
    return {
        "output.weight": wrong.T @ hidden,
        "output.bias": wrong.sum(axis=0),
        "hidden.weight": back.T @ x,
        "hidden.bias": back.sum(axis=0),
    }


def write(path, tensors):
    writer = GGUFWriter(path, "digits")
    for name, values in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder):
    images, labels = load_digits(return_X_y=True)
    half = len(images) // 2
    network = train(images[:half], labels[:half], np.random.default_rng(0))
    folder.mkdir(exist_ok=True)
    write(folder / "network.gguf", network)
    write(folder / "test.gguf", {"images": images[half:].astype(np.int8), "labels": labels[half:].astype(np.int8)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
