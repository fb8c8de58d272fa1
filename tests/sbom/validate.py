"""Holds a bill of materials against CycloneDX's own schema, strictly: unknown fields are mistakes."""

import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path(sys.argv[1]).read_text("utf-8"))
if found:
    sys.exit(f"{sys.argv[1]} is not valid: {found}")
