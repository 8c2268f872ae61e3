"""Validates a report against a schema of report/: validate.py SCHEMA FILE, or with --lines each line of FILE."""

import json
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")
import jsonschema

FOLDER = pathlib.Path(__file__).parent.parent / "report"


def no_twice(pairs):
    """Objects whose keys repeat are JSON that readers disagree on."""
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a key repeats in " + ", ".join(keys))
    return dict(pairs)


def main():
    lines = "--lines" in sys.argv
    schema_name, file = [word for word in sys.argv[1:] if word != "--lines"]
    store = {path.name: json.loads(path.read_text()) for path in FOLDER.glob("*.schema.json")}
    resolver = jsonschema.RefResolver("", store[schema_name], store)
    validator = jsonschema.Draft7Validator(
        store[schema_name], resolver=resolver, format_checker=jsonschema.FormatChecker())
    text = pathlib.Path(file).read_bytes().decode("utf-8")  # strictly
    parts = text.split("\n")
    if parts.pop() != "":
        sys.exit("the last line is not ended")
    for part in parts if lines else [text]:
        value = json.loads(part, object_pairs_hook=no_twice)
        errors = list(validator.iter_errors(value))
        for error in errors[:3]:
            print("/".join(map(str, error.absolute_path)), error.message[:400], file=sys.stderr)
        if errors:
            sys.exit(1)


main()
