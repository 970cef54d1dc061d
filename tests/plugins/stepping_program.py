"""The program of the stepping engine: counts its steps, saves each, and stops when it is asked to.

Logs every step to the file named in TOY_LOG, so that tests can see which were done twice.
"""

import json
import os
import sys
import time


def log(step: int) -> None:
    path = os.environ.get("TOY_LOG")
    if path:
        with open(path, "a") as file:  # noqa: PTH123  (starts faster without pathlib)
            file.write(f"{step} {os.getcwd()}\n")  # noqa: PTH109  (as above)


def main() -> None:
    with open("in.json") as file:  # noqa: PTH123
        deck = json.load(file)
    done = 0
    if deck.get("restart"):
        with open("state.json") as file:  # noqa: PTH123
            done = json.load(file)["done"]
    began = time.monotonic()
    while done < deck["steps"]:
        if os.path.exists("STOP"):  # noqa: PTH110
            print("stopped by request")
            sys.exit(2)
        if time.monotonic() - began > deck.get("limit_s", 1e9):
            print("out of time")
            sys.exit(2)
        if done == deck["silent_at"]:
            time.sleep(60)
        time.sleep(deck["step_s"])
        done += 1
        with open("state.part", "w") as file:  # noqa: PTH123
            json.dump({"done": done}, file)
        log(done)  # one that is killed here does the step again: none is missing from the log
        os.rename("state.part", "state.json")  # noqa: PTH104
        print(f"step {done}", flush=True)
    print("done")
    with open("density", "w") as file:  # noqa: PTH123
        file.write("density")


main()
