#!/usr/bin/env python3
"""What Python programs seal with: nanoseconds of processor time for one operation.

    benches/rivals/ciphers.py OPERATION SIZE [SECONDS]

Fernet is that of `cryptography`; `cbc-hmac-*` is AES-128-CBC and HMAC-SHA-256 in base64 as programs write it with
PyCryptodome, encrypt-then-MAC and all. Each operation is the whole of it: randomness, MAC, base64.
"""
import base64
import sys
import time


def fernet_encrypt(body):
    from cryptography.fernet import Fernet
    cipher = Fernet(Fernet.generate_key())
    return lambda: cipher.encrypt(body)


def fernet_decrypt(body):
    from cryptography.fernet import Fernet
    cipher = Fernet(Fernet.generate_key())
    token = cipher.encrypt(body)
    return lambda: cipher.decrypt(token)


def _cbc_hmac():
    from Crypto.Cipher import AES
    from Crypto.Hash import HMAC, SHA256
    from Crypto.Random import get_random_bytes
    from Crypto.Util.Padding import pad, unpad
    key, mac_key = get_random_bytes(16), get_random_bytes(32)

    def encrypt(body):
        iv = get_random_bytes(16)
        sealed = iv + AES.new(key, AES.MODE_CBC, iv).encrypt(pad(body, 16))
        return base64.b64encode(sealed + HMAC.new(mac_key, sealed, SHA256).digest())

    def decrypt(text):
        whole = base64.b64decode(text)
        HMAC.new(mac_key, whole[:-32], SHA256).verify(whole[-32:])
        return unpad(AES.new(key, AES.MODE_CBC, whole[:16]).decrypt(whole[16:-32]), 16)

    return encrypt, decrypt


def cbc_hmac_encrypt(body):
    encrypt, _ = _cbc_hmac()
    return lambda: encrypt(body)


def cbc_hmac_decrypt(body):
    encrypt, decrypt = _cbc_hmac()
    text = encrypt(body)
    return lambda: decrypt(text)


OPERATIONS = {"fernet-encrypt": fernet_encrypt, "fernet-decrypt": fernet_decrypt,
              "cbc-hmac-encrypt": cbc_hmac_encrypt, "cbc-hmac-decrypt": cbc_hmac_decrypt}


def main():
    operation, size, seconds = (*sys.argv[1:], "0.3")[:3]
    once = OPERATIONS[operation](b"x" * int(size))
    for _ in range(50):
        once()
    times, start = 0, time.process_time_ns()
    while True:
        for _ in range(50):
            once()
        times += 50
        spent = time.process_time_ns() - start
        if spent >= float(seconds) * 1e9:
            print(spent / times)
            return


if __name__ == "__main__":
    main()
