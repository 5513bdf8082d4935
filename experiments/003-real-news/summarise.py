"""Mean and 95% t-interval over the seeds of one name in results.jsonl.

python experiments/003-real-news/summarise.py NAME
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import t

lines = (Path(__file__).parent / "results.jsonl").read_text(encoding="utf-8").splitlines()
rows = [row for row in map(json.loads, lines) if row["name"] == sys.argv[1]]
print(
    f"{sys.argv[1]}: seeds {[row['seed'] for row in rows]}, seconds {[r['seconds'] for r in rows]}"
)
for name in rows[0]["scores"]:
    for key in ("ap", "ap_at_share", "f1", "best_f1", "calibration_error"):
        found = np.array([np.mean(row["scores"][name][key]) for row in rows])
        half = t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
        print(f"{name} {key}: {found.mean():.3f} +- {half:.3f} {found.round(3).tolist()}")
