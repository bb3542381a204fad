"""Print what gguf-py's reader sees in each file named on the command line: one JSON object per line."""

import hashlib
import json
import sys

from gguf import GGUFReader

for path in sys.argv[1:]:
    reader = GGUFReader(path)
    print(
        json.dumps(
            {
                # The reader puts facts of the header among the keys, under names of its own.
                "keys": {
                    name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")
                },
                "tensors": {
                    tensor.name: {
                        "shape": [int(dimension) for dimension in tensor.shape],
                        "type": tensor.tensor_type.name,
                        "offset": int(tensor.data_offset),
                        "sha256": hashlib.sha256(tensor.data.tobytes()).hexdigest(),
                    }
                    for tensor in reader.tensors
                },
            }
        )
    )
