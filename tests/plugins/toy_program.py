"""The program of the toy engine: reads in.json, takes its time, writes out.json.

Logs `start KEY` and `end KEY` to the file named in TOY_LOG, so that tests can count runs.
"""

import json
import os
import sys
import time


def log(word: str) -> None:
    path = os.environ.get("TOY_LOG")
    if path:
        with open(path, "a") as file:  # noqa: PTH123  (starts faster without pathlib)
            file.write(f"{word} {os.getcwd()}\n")  # noqa: PTH109  (as above)


def main() -> None:
    with open("in.json") as file:  # noqa: PTH123
        deck = json.load(file)
    log("start")
    end = time.monotonic() + deck["seconds"]
    while time.monotonic() < end:
        time.sleep(0.005)
    if deck["species"][0] in deck["fails_for"]:
        print("did not converge")
        sys.exit(2)
    if deck.get("needs_gb", 0) > (deck.get("memory_gb") or 1.0):
        print(f"out of memory: {deck['needs_gb']:g} GB wanted")
        sys.exit(1)
    weight = sum(ord(letter) for name in deck["species"] for letter in name)
    value = deck["x"] * weight + deck["start"]
    log("end")
    with open("out.json.part", "w") as file:  # noqa: PTH123
        json.dump({"value": value, "scale": deck["scale"]}, file)
    os.rename("out.json.part", "out.json")  # noqa: PTH104


main()
