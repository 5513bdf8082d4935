from __future__ import annotations

import subprocess
import sys


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, framing.report, framing.cli.report\n"
        "heavy = {'matplotlib', 'jinja2', 'torch', 'transformers', 'datasets', 'evaluate',"
        " 'sklearn', 'pandas', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
