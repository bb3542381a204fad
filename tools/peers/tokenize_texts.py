"""Print the ids that the tokenizers library gives to the texts of a JSON file: a line for each tokenizer.json.

usage: tokenize_texts.py TEXTS TOKENIZER_JSON...
"""

import json
import sys

from tokenizers import Tokenizer

with open(sys.argv[1], encoding="utf-8") as file:
    texts = json.load(file)
for path in sys.argv[2:]:
    tokenizer = Tokenizer.from_file(path)
    print(json.dumps([tokenizer.encode(text).ids for text in texts]))
