# Imports modules and says of each how that went: one line of JSON a package, as soon as it is known.
import importlib
import importlib.metadata
import json
import os
import sys

# The current folder is nobody's place for modules.
sys.path[:] = [folder for folder in sys.path if folder]
# What a module prints while it is imported is no answer.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def modules_of(package):
    """The top modules of a package whose modules nobody has told us."""
    files = importlib.metadata.files(package) or []
    tops = {file.parts[0] for file in files if file.suffix in (".py", ".so") and not file.parts[0].endswith(".py")}
    return [top for top in sorted(tops) if top.isidentifier()] or [package.replace("-", "_")]


def attempt(package, module):
    for name in [module] if module else modules_of(package):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and (name + ".").startswith(error.name + "."):
                return "missing", ""
            raise
    return "works", ""


for package, module in json.load(sys.stdin):
    try:
        state, text = attempt(package, module)
    except importlib.metadata.PackageNotFoundError:
        state, text = "missing", ""
    except BaseException as error:
        state, text = "fails", type(error).__name__ + ": " + str(error)
    json.dump({"package": package, "state": state, "text": text}, answers)
    answers.write("\n")
    answers.flush()
# A module's threads are not waited for.
os._exit(0)
