"""Makes files.json, which sealed files are held to, with another implementation of the format: the package
`cryptography` from version 50 on. Its ciphertexts are what every implementation gives for the same key, context and
salt, so they hold both directions. Run: pip install 'cryptography>=50' && python3 files.py > files.json
"""

import hashlib
import json
import sys

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

CHUNK = 16 * 1024
ROOM = "5a" * 32
# Around the borders of chunks and of parts of 16 chunks.
LENGTHS = [0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 16 * CHUNK - 1, 16 * CHUNK, 16 * CHUNK + 1, 33 * CHUNK + 5]


def plain(length):
    """Bytes that differ from place to place."""
    return bytes((index * 7 + index // 251) & 255 for index in range(length))


def main():
    cases = []
    for number, length in enumerate(LENGTHS):
        key = hashlib.sha256(b"key %d" % number).digest()
        file = hashlib.sha256(b"file %d" % number).hexdigest()[:32]
        context = f"buddy/v2/file|{ROOM}|{file}"
        encryptor = Cobblestone256Encryptor(key, context.encode())
        sealed = encryptor.update(plain(length)) + encryptor.finalize()
        decryptor = Cobblestone256Decryptor(key, context.encode())
        assert decryptor.update(sealed) + decryptor.finalize() == plain(length)
        case = {
            "room": ROOM,
            "file": file,
            "key": key.hex(),
            "length": length,
            "salt": sealed[:24].hex(),
            "commitment": sealed[24:56].hex(),
            "sealed_length": len(sealed),
            "sealed_sha256": hashlib.sha256(sealed).hexdigest(),
        }
        if length <= 100:
            case["sealed"] = sealed.hex()
        cases.append(case)
    json.dump(cases, sys.stdout, indent=2)
    print()


main()
