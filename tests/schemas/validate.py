"""Holds the JSON Schemas against the parser: over every manifest of the checkout, and over every fixture of a mistake.

What the parser takes must validate; what it refuses for a reason that a schema can tell must not. What the parser says
of a fixture is in its snapshot. Prints every disagreement, and how many files were compared.
"""

import json
import re
import sys
from pathlib import Path

import jsonschema
import yaml

# Mistakes that a schema can tell: fields, types, words and grammars of one file.
TOLD = {f"HUB0{number}" for number in (10, 11, 12, 14, 15, 17, 18, 19, 20, 21, 22, 23)}
# Mistakes in the text itself: there is no document to validate.
NO_DOCUMENT = {f"HUB00{number}" for number in range(2, 7)}
# The name of another plugin in a router is known by the folder, which a schema does not see.
BEYOND = {"HUB020-other-plugin"}


def schema(repo, name):
    return jsonschema.Draft7Validator(json.loads((repo / "schemas" / name).read_text()))


def document(path, text):
    return yaml.safe_load(text) if path.endswith(".yaml") else json.loads(text)


def main(repo):
    schemas = {
        "plugin.yaml": schema(repo, "plugin.schema.json"),
        "overrides.json": schema(repo, "overrides.schema.json"),
    }
    compared, disagreements = 0, []

    def compare(name, path, text, codes):
        nonlocal compared
        validator = schemas.get(path.rsplit("/", 1)[-1])
        if validator is None or codes & NO_DOCUMENT:
            return
        try:
            value = document(path, text)
        except (ValueError, yaml.YAMLError):
            return
        compared += 1
        errors = [error.message for error in validator.iter_errors(value)]
        if bool(errors) != bool(codes & TOLD):
            disagreements.append(f"{name} {path}: the parser says {sorted(codes)}, the schema {errors}")

    for folder in ("plugins", "host-template/scaffold"):
        for pattern in ("*/plugin.yaml", "*/frontend/overrides.json"):
            for file in sorted((repo / folder).glob(pattern)):
                compare("", str(file.relative_to(repo)), file.read_text(), set())
    for fixture in sorted((repo / "codegen/tests/fixtures").glob("*.txt")):
        if fixture.stem in BEYOND:
            continue
        errors = {}
        for line in (repo / f"codegen/tests/snapshots/{fixture.stem}.snap").read_text().splitlines():
            if line.startswith('{"type":"diagnostic","level":"error"'):
                found = json.loads(line)
                errors.setdefault(found["file"], set()).add(found["code"])
        for part in re.split(r"^//- /", fixture.read_text(), flags=re.M)[1:]:
            head, _, text = part.partition("\n")
            path, *how = head.split()
            if not how:
                compare(fixture.stem, path, text, errors.get(path, set()))
    print("\n".join(disagreements))
    print(f"{compared} compared, {len(disagreements)} disagree")
    return 1 if disagreements or compared < 100 else 0


sys.exit(main(Path(sys.argv[1])))
