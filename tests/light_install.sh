#!/usr/bin/env bash
# Labelling with nothing but the package's own dependencies: a plain install into a new
# environment, a bundle, every kind of output, estimates, and neither torch nor transformers.
#
#   tests/light_install.sh PYTHON     (one that can run the tests, to write the bundle)
set -euo pipefail
if [ $# != 1 ] || ! python=$(command -v -- "$1"); then
  echo "usage: tests/light_install.sh PYTHON (of an environment that can run the tests)" >&2
  exit 2
fi
# Before the folder changes; a link stays one, since it says which environment is meant.
[ "${python#/}" != "$python" ] || python=$PWD/$python
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" - "$work/bundle" <<'PY'
import sys
from pathlib import Path

from framing.artifacts import BUNDLE, write_manifest
from framing.codebook import parse_codebook
from framing.inference.development import save_outcomes
from tests.conftest import SMALL_CODEBOOK
from tests.unit.inference.tiny_bundle import SMALL_WORDS, tiny_outcomes, write_tiny_bundle

folder = write_tiny_bundle(Path(sys.argv[1]), parse_codebook(SMALL_CODEBOOK), SMALL_WORDS)
save_outcomes(folder / BUNDLE.development, tiny_outcomes())
write_manifest(folder, BUNDLE.manifest)
PY

"$python" -m venv "$work/venv"
# A build leaves files behind, and takes up old ones.
mkdir "$work/source"
cp -r pyproject.toml README.md LICENSE framing "$work/source"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -c constraints.txt "$work/source"
# From elsewhere, so that what is imported is what was installed.
cd "$work"
printf 'text,source\nInflation is terrible.,a\nNothing here.,b\n' > sentences.csv
for end in jsonl csv parquet; do
  venv/bin/framing predict --model bundle sentences.csv --out "labels.$end"
done
printf 'Inflation is terrible. Critics say so.\n' | venv/bin/framing predict --model bundle - > piped.jsonl
# Estimates need more of the package than labels do.
{
  echo text
  for _ in {1..28}; do echo Inflation.; done
  for _ in {1..172}; do echo Nothing.; done
} > many.csv
venv/bin/framing predict --model bundle many.csv --html many.html --summary many.json
venv/bin/framing tasks sentences.csv --model bundle --out tasks.json
venv/bin/python - <<'PY'
import importlib.util
import json
from pathlib import Path

import pyarrow.parquet

import framing

assert "site-packages" in framing.__file__, framing.__file__
heavy = ("torch", "transformers", "datasets", "evaluate", "sklearn", "scipy", "pandas")
found = [name for name in heavy if importlib.util.find_spec(name)]
assert not found, f"not light: {found} came with the package"
rows = [json.loads(line) for line in Path("labels.jsonl").read_text().splitlines()]
assert [row["labels"]["topics"] for row in rows] == [["prices"], []], rows
assert [row["metadata"]["source"] for row in rows] == ["a", "b"], rows
assert pyarrow.parquet.read_table("labels.parquet").num_rows == 2
assert len(Path("labels.csv").read_text().splitlines()) == 3
assert len(Path("piped.jsonl").read_text().splitlines()) == 2
assert "Inflation." in Path("many.html").read_text()
prices = json.loads(Path("many.json").read_text())["heads"][0]["labels"][0]
assert (prices["count"], prices["estimate"]["share"]) == (28, 0.12), prices
(found,) = framing.load("bundle").label(["Inflation is terrible."])
assert found.labels["topics"] == ("prices",), found
print("labels without torch: as they should be")
PY
