"""Text to the ids of tokens and back, by characters, words or parts of words. Imports no torch: services need it too.

    tokenizer = ByteLevelBPE.train(texts, size=4096)
    tokenizer.decode(tokenizer.encode("a text")) == "a text"
    save_model(…, files={"tokenizer.json": tokenizer.to_json()})
    tokenizer = from_json(Path("tokenizer.json").read_bytes())

| | tokens | what it has never seen | decode(encode(text)) |
|---|---|---|---|
| `Characters` | characters | unknown | the text, but for unknown characters |
| `Words` | words and punctuation marks | unknown | words with a space between each two |
| `ByteLevelBPE` | parts of words, down to single bytes | cannot be | the text |
| `WordPiece` | parts of words, as BERT reads them | unknown, as a whole word | words with a space between each two |

Ids begin with special tokens: 0 fills up, 1 stands for what is unknown; further ones, such as "<end>", can be named in
training. No text becomes the id of a special token, whatever is written in it. Training is deterministic. The special
tokens of `WordPiece` are BERT's, and unknown is another id than 1 in vocabularies that were trained elsewhere.
"""

from torchworks.shared.text.bpe import ByteLevelBPE
from torchworks.shared.text.saved import from_json, tokenizer_files
from torchworks.shared.text.tokenizer import SPECIALS, Tokenizer
from torchworks.shared.text.vocabulary import Characters, Words
from torchworks.shared.text.wordpiece import WordPiece

__all__ = ["SPECIALS", "ByteLevelBPE", "Characters", "Tokenizer", "WordPiece", "Words", "from_json", "tokenizer_files"]
